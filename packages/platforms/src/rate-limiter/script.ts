/**
 * The limiter's only script (docs/design.md §8). One call settles what came free, books answers, and serves a list of
 * asks for one account, with the time of Redis as its only clock.
 *
 * KEYS: epoch · state (hash) · cooling (zset: instant → instant, units in the state's `c` fields) · leases (zset: expiry
 * → id, units in `l` fields) · singles that wait (zset: slot + grace → id:units) · slots promised to bulk (zset) · the
 * same of chunks that have begun · channels that share the account (hash).
 * ARGV: rate, windowMs, leaseMs, 'answer'|'issue', channelId:version, serverId, leaseId, slowMs (-1 = none), holdMs (0 = none; from the
 * epoch's begin),
 * counts of the three lists, then answered (lease, units, ageMs)…, unused (lease, units)…, asks ('single'|'bulk'|'begun', units, least)….
 * Answers [epoch, per ask: units granted, or minus the milliseconds to wait].
 *
 * A permit is held from its grant until one window after its answer, so at any grant every permit whose request can have
 * arrived within the window before is still held: no sliding window at the vendor holds more than the limit.
 */
export const LIMITER_SCRIPT = `
local epochKey, state, cooling, leases, singles, slots, begun, peers = unpack(KEYS)
local askedRate, askedWindow, leaseMs = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local issueTimed, serverId, leaseId = ARGV[4] == 'issue', ARGV[6], ARGV[7]
local channelId, version = string.match(ARGV[5], '^(.*):(%d+)$')
local slowMs, holdMs = tonumber(ARGV[8]), tonumber(ARGV[9])
local answeredCount, unusedCount, askCount = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
local HOLD_AFTER_LOSS, GRACE, SHARED, MIN_FACTOR, RECOVERY_PER_MS, MOVED_AGAIN, MINUTE =
  1000, 200, 600000, 0.05, 0.0001, 1000, 60000
local TRY_AGAIN = 100
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local function exact(number) return string.format('%.3f', number) end

-- An epoch begins with an empty or another Redis. What was sent before it is unknown, so accounts begin it empty. 'after'
-- marks one that took the place of another: a promoted replica, or the same one started again, with what it kept.
local epoch = redis.call('GET', epochKey)
if not epoch or string.sub(epoch, 1, #serverId + 1) ~= serverId .. '|' then
  epoch = serverId .. (epoch and '|after|' or '|') .. string.format('%.0f', now)
  redis.call('SET', epochKey, epoch)
end
local born, isAfter = tonumber(string.match(epoch, '|(%d+)$')), string.find(epoch, '|after|', 1, true)
local fields = redis.call('HMGET', state, 'epoch', 'used', 'tat', 'stop', 'factor', 'since', 'halved', 'waiting', 'rate', 'window',
  'moved', 'try')
local used, tat, stop = tonumber(fields[2] or 0), tonumber(fields[3] or 0), tonumber(fields[4] or 0)
local factor, since, halved = tonumber(fields[5] or 1), tonumber(fields[6] or 0), tonumber(fields[7] or 0)
local waiting, moved = tonumber(fields[8] or 0), tonumber(fields[11] or 0)
-- After a request to slow down: 'due' until somebody gets a permit to try with, then the lease it got, until its answer.
local try = fields[12] or ''
if fields[1] ~= epoch then
  redis.call('DEL', state, cooling, leases, singles, slots, begun, peers)
  used, tat, waiting = 0, 0, 0
  if isAfter then
    -- The last permits may be missing: until each of them must have been answered, and a window more, nothing is granted.
    -- Who was not known before is new, or its permits are missing; its window may be a day, so it counts as a minute.
    local longest = fields[1] and math.max(askedWindow, tonumber(fields[10] or 0)) or math.min(askedWindow, MINUTE)
    stop = math.max(stop, born + longest + leaseMs)
    if try ~= '' then try = 'due' end
    if moved > now then redis.call('HSET', state, 'moved', string.format('%.0f', moved)) end
  else
    stop, factor, since, halved, moved = born + math.min(HOLD_AFTER_LOSS, askedWindow), 1, 0, 0, 0
    try = ''
  end
end

-- A changed limit holds for all as soon as one process knows of it. Channels that share an account share its limit:
-- the lower one holds.
local newest = redis.call('HGET', peers, channelId)
if newest then
  local knownRate, knownWindow, _, knownVersion = string.match(newest, '^(.-):(.-):(.-):(.-)$')
  if tonumber(knownVersion) > tonumber(version) then
    askedRate, askedWindow, version = tonumber(knownRate), tonumber(knownWindow), knownVersion
  end
end
local own = askedRate .. ':' .. askedWindow .. ':' .. string.format('%.0f', now) .. ':' .. version
redis.call('HSET', peers, channelId, own)
local rate, window = askedRate, askedWindow
local shared = redis.call('HGETALL', peers)
for i = 1, #shared, 2 do
  local peerRate, peerWindow, seen = string.match(shared[i + 1], '^(.-):(.-):(.-):')
  peerRate, peerWindow = tonumber(peerRate), tonumber(peerWindow)
  if now - tonumber(seen) > SHARED then redis.call('HDEL', peers, shared[i])
  elseif peerRate / peerWindow < rate / window then rate, window = peerRate, peerWindow end
end
local bucketMs = math.max(1, math.floor(window / 1000))

local function cool(units, untilMs)
  local bucket = string.format('%.0f', math.ceil(untilMs / bucketMs) * bucketMs)
  redis.call('HINCRBY', state, 'c' .. bucket, units)
  redis.call('ZADD', cooling, bucket, bucket)
end
local function fromLease(id, units)
  local left = tonumber(redis.call('HGET', state, 'l' .. id))
  if not left then return false end
  if left > units then redis.call('HSET', state, 'l' .. id, left - units)
  else
    redis.call('HDEL', state, 'l' .. id)
    redis.call('ZREM', leases, id)
  end
  return true
end

-- Permits of workers that died come back by themselves: their requests can have left until the lease ended.
local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', exact(now), 'WITHSCORES')
for i = 1, #ended, 2 do
  local units = tonumber(redis.call('HGET', state, 'l' .. ended[i]) or 0)
  redis.call('HDEL', state, 'l' .. ended[i])
  if ended[i] == try then try = issueTimed and '' or 'due' end
  if string.sub(ended[i], 1, 1) == 'i' then used = used - units else cool(units, ended[i + 1] + window) end
end
if #ended > 0 then redis.call('ZREMRANGEBYSCORE', leases, '-inf', exact(now)) end

local position = 13
for i = 1, answeredCount do
  local id, units, age = ARGV[position], tonumber(ARGV[position + 1]), tonumber(ARGV[position + 2])
  -- Where the account has moved, its leases have too, and end there by themselves.
  if moved <= now then
    if not fromLease(id, units) then used = used + units end
    cool(units, now - age + window)
  end
  if id == try then try = '' end
  position = position + 3
end
for i = 1, unusedCount do
  local units = tonumber(ARGV[position + 1])
  if fromLease(ARGV[position], units) then used = used - units end
  if ARGV[position] == try then try = 'due' end
  position = position + 2
end

local free = redis.call('ZRANGEBYSCORE', cooling, '-inf', exact(now))
for i = 1, #free do
  used = used - tonumber(redis.call('HGET', state, 'c' .. free[i]) or 0)
  redis.call('HDEL', state, 'c' .. free[i])
end
if #free > 0 then redis.call('ZREMRANGEBYSCORE', cooling, '-inf', exact(now)) end
used = math.max(0, used)
local gone = redis.call('ZRANGEBYSCORE', singles, '-inf', exact(now))
for i = 1, #gone do waiting = waiting - tonumber(string.match(gone[i], ':(%d+)$')) end
if #gone > 0 then redis.call('ZREMRANGEBYSCORE', singles, '-inf', exact(now)) end
if waiting < 0 or redis.call('ZCARD', singles) == 0 then waiting = 0 end
redis.call('ZREMRANGEBYSCORE', slots, '-inf', exact(now))
redis.call('ZREMRANGEBYSCORE', begun, '-inf', exact(now))
if tonumber(fields[9] or 0) ~= rate or tonumber(fields[10] or 0) ~= window then
  redis.call('DEL', slots, begun, singles)
  waiting = 0
end

-- AIMD: the rate is halved once per request to slow down and recovers by a tenth of the limit per second.
factor = math.min(1, factor + RECOVERY_PER_MS * math.max(0, now - math.max(since, stop)))
since = now
if slowMs >= 0 then
  if now >= stop and now - halved >= 1000 then factor, halved = math.max(MIN_FACTOR, factor / 2), now end
  stop, try = math.max(stop, now + slowMs), 'due'
  redis.call('DEL', slots, begun)
end
if holdMs > 0 then stop = math.max(stop, born + holdMs) end

local limit = math.max(1, math.floor(rate * factor))
local unitMs = window / limit
local block, sliver = math.ceil(limit / 20), math.ceil(limit / 100)
-- Bulk is spread: a block costs its share of the window before the next (a little less, so that the permits and not the
-- pace are what limits); who comes late may take that much more.
local tolerance, paceMs = window / 10, unitMs * 0.95
if tat == 0 then tat = now end

local function freeAt(missing)
  if missing <= 0 then return now end
  local first = 0
  while true do
    local page = redis.call('ZRANGE', cooling, first, first + 63)
    for i = 1, #page do
      missing = missing - tonumber(redis.call('HGET', state, 'c' .. page[i]) or 0)
      if missing <= 0 then return tonumber(page[i]) end
    end
    if #page < 64 then break end
    first = first + 64
  end
  return now + window + math.floor(missing / limit) * window
end
local function grant(units)
  used = used + units
  tat = math.max(tat, now - tolerance) + units * paceMs
  return units
end
-- While one tries, the others come a little later, each behind the one before.
local function isTried() return now >= stop and try ~= '' and try ~= 'due' end
local function grantTry()
  if now < stop or try ~= 'due' or used >= limit then return 0 end
  try = leaseId
  return grant(1)
end
-- A slot of its own for each: before the first promised one where permits come free earlier, else behind the last.
-- Chunks that have begun have a line of their own, which is short: they do not wait behind those that have not.
local function bulkSlot(units, slots)
  local at = math.max(now + (isTried() and TRY_AGAIN or 0), stop, tat, freeAt(used + units - limit))
  local last = redis.call('ZREVRANGE', singles, 0, 0, 'WITHSCORES')
  if last[2] then at = math.max(at, now + 5, last[2] - GRACE + 1) end
  local head = redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')
  if head[2] and head[2] - at < 2 then
    local tail = redis.call('ZREVRANGE', slots, 0, 0, 'WITHSCORES')
    at = math.max(at, tail[2] + units * unitMs)
  end
  return at
end
local function serveSingle(units, least, id)
  local due = redis.call('ZRANGE', singles, 0, 0, 'WITHSCORES')
  local returning = due[2] and due[2] - GRACE <= now + 1
  if returning then
    redis.call('ZREM', singles, due[1])
    waiting = waiting - tonumber(string.match(due[1], ':(%d+)$'))
  end
  local room = limit - used - (returning and 0 or waiting)
  local tried = grantTry()
  if tried > 0 then return tried end
  if now >= stop and try == '' and room >= least then return grant(math.min(units, room)) end
  local at = math.max(stop, freeAt(used + waiting + least - limit))
  if isTried() then
    local last = redis.call('ZREVRANGE', singles, 0, 0, 'WITHSCORES')
    at = math.max(at, now + TRY_AGAIN, (last[2] or 0) - GRACE + least * unitMs)
  end
  waiting = waiting + least
  redis.call('ZADD', singles, exact(at + GRACE), id .. ':' .. least)
  return now - at
end
-- Chunks that have not begun leave a permit to one that has and is about to ask.
local function begunSoon()
  local head = redis.call('ZRANGE', begun, 0, 0, 'WITHSCORES')
  return head[2] and head[2] - now < window / 50
end
local function serveBulk(units, least, id, line)
  local enough = math.min(units, math.max(least, sliver))
  local late = math.min(tolerance, math.max(0, now - tat))
  local room = math.min(units, limit - used, math.max(least, block + math.floor(late / unitMs)))
  local others = waiting > 0 or (line == slots and begunSoon())
  if not others then
    local tried = grantTry()
    if tried > 0 then return tried end
  end
  if now >= stop and try == '' and not others and tat <= now and room >= enough then return grant(room) end
  local at = bulkSlot(enough, line)
  redis.call('ZADD', line, exact(at), id)
  return now - at
end

local answer, leased = { epoch }, 0
for i = 1, askCount do
  local units, least = math.min(limit, tonumber(ARGV[position + 1])), math.min(limit, tonumber(ARGV[position + 2]))
  local kind, id = ARGV[position], leaseId .. '-' .. i
  local result
  -- The account became part of another one (carry-script.ts): the asker will have heard of it by the next time.
  if moved > now then result = -MOVED_AGAIN
  elseif kind == 'single' then result = serveSingle(units, least, id)
  else result = serveBulk(units, least, id, kind == 'begun' and begun or slots) end
  if result > 0 then leased = leased + result else result = math.min(-1, math.ceil(result)) end
  answer[i + 1] = result
  position = position + 3
end
if leased > 0 then
  redis.call('HSET', state, 'l' .. leaseId, leased)
  redis.call('ZADD', leases, exact(now + (issueTimed and window or leaseMs)), leaseId)
end
redis.call('HSET', state, 'epoch', epoch, 'used', used, 'tat', exact(tat), 'stop', exact(stop), 'factor', exact(factor), 'try', try,
  'since', exact(since), 'halved', exact(halved), 'waiting', waiting, 'rate', rate, 'window', window)
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], math.floor(leaseMs + 2 * window + SHARED)) end
return answer
`
