#!lua flags=no-writes
-- Reads states for the owner at this very position.
-- Needs: fence
-- KEYS[1] owner
-- KEYS[2] decided
-- KEYS[3] states
-- KEYS[4] deadlines
-- ARGV[1] token
-- ARGV[2] position
-- ARGV[3...] keys, at most 500
-- Returns {'fenced'}, {'position'}, {'folding'} or {'ok', {packed state or nil, ...}, {deadline or nil, ...}}.
-- Worst case: 500 states and what their values weigh. 500 states of 0.4 KB: 1 ms.
local refusal = fence(KEYS[1], ARGV[1], ARGV[2])
if refusal then return {refusal} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'folding'} end
if #ARGV == 2 then return {'ok', {}, {}} end
return {'ok', redis.call('HMGET', KEYS[3], unpack(ARGV, 3)), redis.call('HMGET', KEYS[4], unpack(ARGV, 3))}
