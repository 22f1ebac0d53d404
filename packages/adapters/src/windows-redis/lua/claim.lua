#!lua flags=allow-oom
-- Makes a token the owner of a stage partition, which shuts out the one before, and drops what that one had staged.
-- KEYS[1] owner
-- KEYS[2] staged
-- ARGV[1] token
-- Returns {position, meta as JSON or nil}; the position of a partition that never committed is '0'.
-- Worst case: three commands; what was staged is freed in the background.
redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('HSETNX', KEYS[1], 'position', '0')
redis.call('UNLINK', KEYS[2])
return redis.call('HMGET', KEYS[1], 'position', 'meta')
