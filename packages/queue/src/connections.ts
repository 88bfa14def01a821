import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis, type RedisOptions } from 'ioredis'

/** Capped at a second, so that work resumes soon after Redis is back (reliability.md finding 10). */
const retryStrategy = (times: number): number => Math.min(times * 100, 1000) * (0.8 + Math.random() * 0.4)

/** For whoever adds: fails soon rather than queueing commands in memory while Redis is away (reliability.md §6). */
export function producerConnection(url: string): Redis {
  return open(url, {
    enableOfflineQueue: false,
    commandTimeout: 1500,
    maxRetriesPerRequest: 1,
    connectTimeout: 2000,
  })
}

/** For workers: waits as long as it takes, as BullMQ demands. */
export function workerConnection(url: string): Redis {
  return open(url, { maxRetriesPerRequest: null, connectTimeout: 5000 })
}

function open(url: string, options: Omit<RedisOptions, 'replyMapping'>): Redis {
  const redis = new Redis(url, { retryStrategy, keepAlive: 10_000, disconnectTimeout: 100, ...options })
  // Each user of a connection sees its own commands fail; an outage must not end the process.
  redis.on('error', () => undefined)
  return redis
}

/** Rejects after `ms`; the command may still run later, so its outcome is unknown (reliability.md finding 7). */
export function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new QueueDownError(`${what}: Redis did not answer within ${ms} ms`)), ms)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Resolves when the connection can be used; rejects with why it cannot (refused, a wrong password), or after `ms`. */
export async function connected(redis: Redis, ms: number): Promise<void> {
  if (redis.status !== 'ready') await once(redis, 'ready', { signal: AbortSignal.timeout(ms) })
}

const LOOK_AGAIN_MS = 500

/**
 * Resolves when a job of this queue would be taken: Redis answers, knows this user and serves the queue's keys. Tells
 * `onRefused` why not, each time it looks, until `isClosing`.
 */
export async function takesJobs(
  queue: { redis: Redis; name: string; prefix: string },
  until: { onRefused: (error: Error) => void; isClosing: () => boolean },
): Promise<void> {
  while (!until.isClosing()) {
    try {
      await queue.redis.llen(`${queue.prefix}:${queue.name}:wait`)
      return
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

/** Ends a connection without waiting for a server that may not answer. */
export const disconnect = (redis: Redis): void => redis.disconnect(false)
