-- Library: placed in front of the scripts that need it.
-- apply(states, deadlines, keys, list, first) puts the changes of a chunk into the three structures of a partition.
-- From `first` on, `list` holds threes: key, packed state ('' deletes), deadline in ms ('' for none). No key comes twice.
-- A chunk has at most 500 changes, so that `unpack` stays far below Lua's limit of 8,000 values.
local function apply(states, deadlines, keys, list, first)
  local put, due, ended, gone, listed = {}, {}, {}, {}, {}
  local puts, dues, ends, gones = 0, 0, 0, 0
  for at = first, #list, 3 do
    local key, state, deadline = list[at], list[at + 1], list[at + 2]
    if state == '' then
      gones = gones + 1
      gone[gones] = key
    else
      put[puts + 1], put[puts + 2] = key, state
      listed[puts + 1], listed[puts + 2] = 0, key
      puts = puts + 2
    end
    if deadline == '' then
      ends = ends + 1
      ended[ends] = key
    else
      due[dues + 1], due[dues + 2] = key, deadline
      dues = dues + 2
    end
  end
  -- Keys are listed in the same step as their states: without a new one there is nothing to list.
  if puts > 0 and redis.call('HSET', states, unpack(put)) > 0 then redis.call('ZADD', keys, unpack(listed)) end
  if dues > 0 then redis.call('HSET', deadlines, unpack(due)) end
  if ends > 0 then redis.call('HDEL', deadlines, unpack(ended)) end
  if gones > 0 then
    redis.call('HDEL', states, unpack(gone))
    redis.call('ZREM', keys, unpack(gone))
  end
end
