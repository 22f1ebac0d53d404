#!lua flags=no-writes
-- Reads the states whose keys begin with a prefix, in the order of the keys' bytes, for anybody.
-- KEYS[1] decided
-- KEYS[2] states
-- KEYS[3] deadlines
-- KEYS[4] keys
-- ARGV[1] prefix
-- ARGV[2] where the page begins, as ZRANGE BYLEX takes it: '[' or '(' and a key
-- ARGV[3] rows, at most 200
-- Returns {'folding'} or {'ok', {packed state, ...}, {deadline or nil, ...}, {key, ...}}.
-- Worst case: 200 states and what their values weigh. 200 states of 0.4 KB: 0.5 ms.
if redis.call('EXISTS', KEYS[1]) == 1 then return {'folding'} end
-- Keys are UTF-8, which never contains the byte 255.
local past = ARGV[1] == '' and '+' or '(' .. ARGV[1] .. '\255'
local page = redis.call('ZRANGE', KEYS[4], ARGV[2], past, 'BYLEX', 'LIMIT', 0, ARGV[3])
if #page == 0 then return {'ok', {}, {}, {}} end
return {'ok', redis.call('HMGET', KEYS[2], unpack(page)), redis.call('HMGET', KEYS[3], unpack(page)), page}
