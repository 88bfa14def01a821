import { TASK_TTL_MS, type TaskRate } from '@fanfare/core'
import { connect, disconnect } from '@fanfare/redis'

/**
 * GCRA by Redis' clock: KEYS[1] = the task's next free instant; ARGV = members, members per second.
 * Answers 0 where they may be sent now, else the milliseconds until then. Kept for as long as it says something.
 */
const TAKE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local free = tonumber(redis.call('GET', KEYS[1]) or '0')
if free > now then return math.ceil(free - now) end
local step = ARGV[1] * 1000 / ARGV[2]
redis.call('SET', KEYS[1], string.format('%.3f', now + step), 'PX', math.min(math.ceil(step) + 1000, ${TASK_TTL_MS}))
return 0`

/** The `rate` of single tasks, over the whole fleet. */
export function openTaskRate(redisUrl: string): TaskRate & { close(): void } {
  const redis = connect(redisUrl, 'short')
  return {
    take: async (taskId, ratePerSecond, members) =>
      Number(await redis.eval(TAKE, 1, `{fanfare:rate}:${taskId}`, members, ratePerSecond)),
    close: () => disconnect(redis),
  }
}
