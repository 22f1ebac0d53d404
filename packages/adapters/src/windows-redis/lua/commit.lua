#!lua
-- Commits one chunk: a commit of at most 500 changes, whole in one step.
-- Needs: fence, apply
-- KEYS[1] owner
-- KEYS[2] decided
-- KEYS[3] states
-- KEYS[4] deadlines
-- KEYS[5] keys
-- ARGV[1] token
-- ARGV[2] the position before
-- ARGV[3] the position behind
-- ARGV[4] meta as JSON
-- ARGV[5...] the chunk: key, packed state ('' deletes), deadline ('' for none), and so on
-- Returns 'committed', 'fenced', 'position', or 'folding' while an earlier commit is not folded in.
-- Worst case: 500 changes and 1.5 MiB, or one larger state. 500 states of 0.4 KB: 1 ms, 4 ms when all are new.
local refusal = fence(KEYS[1], ARGV[1], ARGV[2])
if refusal then return refusal end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'folding' end
apply(KEYS[3], KEYS[4], KEYS[5], ARGV, 5)
redis.call('HSET', KEYS[1], 'position', ARGV[3], 'meta', ARGV[4])
return 'committed'
