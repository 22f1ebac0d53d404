#!lua flags=no-writes
-- Reads one page of deadlines, in the order of their keys, for the owner at this very position: under that fence the
-- pages of one claim are of one commit, also across a fail-over, where a SCAN's cursor would lose its meaning.
-- Needs: fence
-- KEYS[1] owner
-- KEYS[2] decided
-- KEYS[3] deadlines
-- KEYS[4] keys
-- ARGV[1] token
-- ARGV[2] position
-- ARGV[3] where the page begins, as ZRANGE BYLEX takes it: '-', or '(' and the last key of the page before
-- ARGV[4] keys per page, at most 1,000
-- Returns {'fenced'}, {'position'}, {'folding'} or {'ok', last key of the page or nil at the end, {key, deadline, ...}}.
-- Worst case: 1,000 keys and as many short numbers, 2 ms.
local refusal = fence(KEYS[1], ARGV[1], ARGV[2])
if refusal then return {refusal} end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'folding'} end
local page = redis.call('ZRANGE', KEYS[4], ARGV[3], '+', 'BYLEX', 'LIMIT', 0, ARGV[4])
if #page == 0 then return {'ok', false, page} end
local found, due, count = redis.call('HMGET', KEYS[3], unpack(page)), {}, 0
for at = 1, #page do
  if found[at] then
    due[count + 1], due[count + 2] = page[at], found[at]
    count = count + 2
  end
end
return {'ok', #page == tonumber(ARGV[4]) and page[#page], due}
