#!lua
-- Commits what stage.lua laid aside: it is in force from here on, and fold.lua brings it to its place. Readers fold first.
-- Needs: fence
-- KEYS[1] owner
-- KEYS[2] staged
-- KEYS[3] decided
-- ARGV[1] token
-- ARGV[2] the position before
-- ARGV[3] the position behind
-- ARGV[4] meta as JSON
-- ARGV[5] id of the commit
-- ARGV[6] strings staged, all in all
-- Returns 'committed', 'fenced', 'position', 'folding' while an earlier commit is not folded in, or 'mixed' when not
-- exactly this commit is staged: another of the same owner came between.
-- Worst case: a handful of commands, whatever the size of the commit: 0.1 ms.
local refusal = fence(KEYS[1], ARGV[1], ARGV[2])
if refusal then return refusal end
if redis.call('EXISTS', KEYS[3]) == 1 then return 'folding' end
if redis.call('LINDEX', KEYS[2], 0) ~= ARGV[5] or redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[6]) then return 'mixed' end
redis.call('LPOP', KEYS[2])
redis.call('RENAME', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'position', ARGV[3], 'meta', ARGV[4])
return 'committed'
