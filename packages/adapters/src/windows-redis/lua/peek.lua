#!lua flags=no-writes
-- Reads single states for anybody. Pieces with one position are of one commit.
-- KEYS[1] owner
-- KEYS[2] decided
-- KEYS[3] states
-- KEYS[4] deadlines
-- ARGV[1...] keys, at most 500
-- Returns {'folding'} or {'ok', {packed state or nil, ...}, {deadline or nil, ...}, position or nil}.
-- Worst case: 500 states and what their values weigh. 500 states of 0.4 KB: 1 ms.
if redis.call('EXISTS', KEYS[2]) == 1 then return {'folding'} end
local states, deadlines = redis.call('HMGET', KEYS[3], unpack(ARGV)), redis.call('HMGET', KEYS[4], unpack(ARGV))
return {'ok', states, deadlines, redis.call('HGET', KEYS[1], 'position')}
