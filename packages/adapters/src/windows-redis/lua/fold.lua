#!lua flags=allow-oom
-- Brings one chunk of a decided commit to its place. It changes nothing that a reader sees, so it needs no fence:
-- whoever meets a decided commit folds it in first, a zombie's fold included.
-- Needs: apply
-- KEYS[1] decided
-- KEYS[2] states
-- KEYS[3] deadlines
-- KEYS[4] keys
-- Returns how many strings are left to fold; 0 when nothing is decided.
-- Worst case: one chunk as it was staged: as commit.lua.
local count = tonumber(redis.call('LINDEX', KEYS[1], 0) or 0)
if count == 0 then return 0 end
apply(KEYS[2], KEYS[3], KEYS[4], redis.call('LRANGE', KEYS[1], 1, count), 1)
redis.call('LTRIM', KEYS[1], count + 1, -1)
return redis.call('LLEN', KEYS[1])
