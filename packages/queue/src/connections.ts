import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, within } from '@fanfare/redis'
import { PLAN_QUEUE, prefixOf, QUEUE_PLATFORMS } from './jobs.ts'

export const QUEUES: readonly string[] = [...QUEUE_PLATFORMS, PLAN_QUEUE]
const LOOK_AGAIN_MS = 500

/** Rejects after `ms`; the command may still run later, so its outcome is unknown (docs/reliability.md §0.7). */
export const answered = <T>(ms: number, what: string, work: Promise<T>): Promise<T> =>
  within(ms, work, () => {
    throw new QueueDownError(`${what}: Redis did not answer within ${ms} ms`)
  })

/** What a job is added by, where the jobs of the queue are: a script that writes. */
const PROBE = `return redis.call('SET', KEYS[1], '1', 'PX', 1000)`

/** Rejects where a job of this queue would not be taken; says why. */
export async function probe(redis: Connection, queue: string): Promise<void> {
  try {
    await redis.eval(PROBE, 1, `${prefixOf(queue)}:probe`)
  } catch (error) {
    const { message } = error as Error
    const hint = message.startsWith('MOVED')
      ? ' (one node of a cluster: REDIS_URL must begin with redis+cluster://)'
      : ''
    throw new QueueDownError(`${queue}: ${message}${hint}`)
  }
}

/**
 * Resolves when a job of this queue would be taken: Redis answers, knows this user and serves the queue's keys. Tells
 * `onRefused` why not, each time it looks, until `isClosing`.
 */
export async function takesJobs(
  redis: Connection,
  queue: string,
  until: { onRefused: (error: Error) => void; isClosing: () => boolean },
): Promise<void> {
  while (!until.isClosing()) {
    try {
      return await probe(redis, queue)
    } catch (error) {
      until.onRefused(error as Error)
      await sleep(LOOK_AGAIN_MS)
    }
  }
}

/** Redis does not answer: nothing is known of the jobs. The sweeper puts right what is missing. */
export class QueueDownError extends Error {
  override readonly name = 'QueueDownError'
}
