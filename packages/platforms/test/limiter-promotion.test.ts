import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, Limiter } from '@fanfare/core'
import { type RedisSet, redisOfProject } from '@fanfare/testkit'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { type LimiterOptions, openLimiter } from '../src/index.ts'
import { asking, channelWith } from './limiter-load.ts'

jest.setTimeout(120_000)

const LEASE_MS = 8000
const WINDOW_MS = 6000
let redis: RedisSet
let limiters: Limiter[]

beforeEach(async () => {
  redis = await redisOfProject({ appendonly: true })
  limiters = []
})
afterEach(async () => {
  await Promise.all(limiters.map((limiter) => limiter.close()))
  await redis.stop()
})

async function open(options: LimiterOptions = {}): Promise<Limiter> {
  const limiter = openLimiter(redis.url, { leaseMs: LEASE_MS, ...options })
  limiters.push(limiter)
  // The connection stands, and the first second of a new Redis is over.
  await grantedAt(limiter, channelWith({ rate: 10, perMs: 1000 }))
  return limiter
}

/** The server that holds the limiter is gone; another one, or the same started again, has its place. */
async function lose(lagMs: number): Promise<number> {
  const at = performance.now()
  const old = await redis.failOver('{fanfare:limiter}', lagMs)
  if (redis.form === 'single') await old.restart()
  return at
}

/** When the next permit was granted. */
async function grantedAt(limiter: Limiter, channel: Channel): Promise<number> {
  const { waitOf } = asking(() => limiter)
  while ((await waitOf(channel, 1, 'single', limiter)) > 0) await sleep(50)
  return performance.now()
}

describe('a Redis that took the place of another one', () => {
  it('grants nothing until every permit must have been answered, and for one window more', async () => {
    const limiter = await open()
    const [used, fresh] = [channelWith({ rate: 10, perMs: WINDOW_MS }), channelWith({ rate: 10, perMs: WINDOW_MS })]
    const { permit } = asking(() => limiter)
    const first = await permit(used, 10)
    first.answered()
    const lostAt = await lose(0)
    const [again, never] = await Promise.all([grantedAt(limiter, used), grantedAt(limiter, fresh)])
    expect(again - lostAt).toBeGreaterThanOrEqual(WINDOW_MS + LEASE_MS)
    expect(never - lostAt).toBeGreaterThanOrEqual(WINDOW_MS + LEASE_MS)
    // And the whole limit from then on.
    expect((await permit(used, 9)).units).toBe(9)
  })

  it('would give permits twice where it went unseen: it has not heard of the last ones', async () => {
    const limiter = await open({ identityOf: () => Promise.resolve('always the same') })
    const channel = channelWith({ rate: 10, perMs: 60_000 })
    const { waitOf } = asking(() => limiter)
    expect(await waitOf(channel, 4, 'single', limiter)).toBe(0)
    await redis.settled()
    let granted = 4
    // The last ones, while replication lags.
    const late = sleep(300).then(async () => {
      if ((await waitOf(channel, 6, 'single', limiter)) === 0) granted += 6
    })
    await lose(1000)
    await late
    await grantedAt(limiter, channelWith({ rate: 10, perMs: 1000 }))
    if ((await waitOf(channel, 6, 'single', limiter)) === 0) granted += 6
    // A single server has its file, and nothing of it is missing after a mere kill.
    expect(granted).toBe(redis.form === 'single' ? 10 : 16)
  })

  it('remembers how long a vendor wanted to be left alone', async () => {
    const limiter = await open({ leaseMs: 200 })
    const channel = channelWith({ rate: 10, perMs: 200 })
    await limiter.slowDown(channel, 60_000)
    await redis.settled()
    await lose(0)
    await grantedAt(limiter, channelWith({ rate: 10, perMs: 200 }))
    expect(await asking(() => limiter).waitOf(channel)).toBeGreaterThan(20_000)
  })
})
