#!lua
-- Lays one chunk of a large commit aside. Nothing of it is seen before decide.lua; a claim drops it.
-- Needs: fence
-- KEYS[1] owner
-- KEYS[2] staged: the commit's id, then per chunk the count of its strings and those strings
-- ARGV[1] token
-- ARGV[2] the position before the commit
-- ARGV[3] id of the commit
-- ARGV[4] 'first' begins anew, 'more' adds
-- ARGV[5...] the chunk as in commit.lua
-- Returns the count of strings staged, 'fenced' or 'position'. Whether all of one commit is there, decide.lua judges.
-- Worst case: 500 changes and 1.5 MiB, or one larger state. 500 states of 0.4 KB: 0.6 ms.
local refusal = fence(KEYS[1], ARGV[1], ARGV[2])
if refusal then return refusal end
if ARGV[4] == 'first' then
  redis.call('UNLINK', KEYS[2])
  redis.call('RPUSH', KEYS[2], ARGV[3])
end
return redis.call('RPUSH', KEYS[2], #ARGV - 4, unpack(ARGV, 5))
