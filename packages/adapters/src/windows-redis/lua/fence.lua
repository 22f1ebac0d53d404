-- Library: placed in front of the scripts that need it.
-- fence(owner, token, position) gives nil to the owner at this very position, else the word that refuses: 'fenced' for
-- another token (or none: an emptied Redis has no owners), 'position' for another position. Both demand equality.
local function fence(owner, token, position)
  local stored = redis.call('HMGET', owner, 'token', 'position')
  if stored[1] ~= token then return 'fenced' end
  if stored[2] ~= position then return 'position' end
  return nil
end
