/**
 * Lets an account go on with what another one has used: units in use, those that cool down, the leases of workers, and how
 * the vendor was to be spared. What both have is added up, so the account holds at least what reached the vendor.
 *
 * KEYS: epoch · of the source state, cooling, leases · the same of the target (script.ts). ARGV: serverId, movedMs (0 = the
 * source stays in use; else asks for it are denied for so long, and it is left empty).
 */
export const CARRY_SCRIPT = `
local epochKey, from, fromCooling, fromLeases, to, toCooling, toLeases = unpack(KEYS)
local serverId, movedMs = ARGV[1], tonumber(ARGV[2])
local SHARED = 600000
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local epoch = redis.call('GET', epochKey)
local known = epoch and string.sub(epoch, 1, #serverId + 1) == serverId .. '|'
local function isOf(state) return known and redis.call('HGET', state, 'epoch') == epoch end

-- Of an epoch that is over nothing is known; the first ask of the new one empties both.
if not known then return { epoch or '' } end
local ttl = math.max(redis.call('PTTL', from), redis.call('PTTL', to), SHARED)
if isOf(from) then
  if not isOf(to) then
    redis.call('DEL', to, toCooling, toLeases)
    redis.call('HSET', to, 'epoch', epoch, 'used', 0, 'tat', 0, 'stop', 0, 'factor', 1, 'since', now, 'halved', 0, 'waiting', 0, 'try', '')
  end
  local source = redis.call('HMGET', from, 'used', 'stop', 'factor', 'since', 'halved', 'try')
  local target = redis.call('HMGET', to, 'stop', 'factor', 'halved')
  redis.call('HINCRBY', to, 'used', tonumber(source[1] or 0))
  if tonumber(source[2] or 0) > tonumber(target[1] or 0) then redis.call('HSET', to, 'stop', source[2]) end
  if tonumber(source[3] or 1) < tonumber(target[2] or 1) then redis.call('HSET', to, 'factor', source[3], 'since', source[4]) end
  if (source[6] or '') ~= '' then redis.call('HSET', to, 'try', 'due') end
  if tonumber(source[5] or 0) > tonumber(target[3] or 0) then redis.call('HSET', to, 'halved', source[5]) end
  for _, bucket in ipairs(redis.call('ZRANGE', fromCooling, 0, -1)) do
    redis.call('HINCRBY', to, 'c' .. bucket, tonumber(redis.call('HGET', from, 'c' .. bucket) or 0))
    redis.call('ZADD', toCooling, bucket, bucket)
  end
  local held = redis.call('ZRANGE', fromLeases, 0, -1, 'WITHSCORES')
  for i = 1, #held, 2 do
    redis.call('HINCRBY', to, 'l' .. held[i], tonumber(redis.call('HGET', from, 'l' .. held[i]) or 0))
    redis.call('ZADD', toLeases, held[i + 1], held[i])
  end
end
redis.call('HDEL', to, 'moved')
if movedMs > 0 then
  redis.call('DEL', from, fromCooling, fromLeases)
  redis.call('HSET', from, 'epoch', epoch, 'moved', string.format('%.0f', now + movedMs))
  redis.call('PEXPIRE', from, math.max(ttl, movedMs))
end
for _, key in ipairs({ to, toCooling, toLeases }) do redis.call('PEXPIRE', key, ttl) end
return { epoch }
`
