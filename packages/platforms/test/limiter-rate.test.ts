import { setTimeout as sleep } from 'node:timers/promises'
import type { Limiter } from '@fanfare/core'
import { type RedisSet, redisOfProject } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openLimiter } from '../src/index.ts'
import { type Asker, asking, channelWith, runLoad, unitsOf, windowsOver } from './limiter-load.ts'

// A cluster needs a while to start on a busy machine.
jest.setTimeout(60_000)

let service: RedisSet
let limiters: Limiter[]

beforeAll(async () => {
  service = await redisOfProject()
  limiters = [1, 2, 3].map(() => openLimiter(service.url))
  await sleep(2000)
})
afterAll(async () => {
  await Promise.all(limiters.map((limiter) => limiter.close()))
  await service.stop()
})

const limiter = (): Limiter => limiters[0] as Limiter
const { permit, waitOf } = asking(limiter)

describe('the rate', () => {
  it('changes within a second, up and down', async () => {
    const channel = channelWith({ rate: 20, perMs: 1000 })
    const askers = limiters.map((one): Asker => ({ limiter: one, lane: 'bulk', units: 100 }))
    await runLoad({ channel, askers, forMs: 500, latencyMs: 5 })
    const faster = { ...channel, limits: { ...channel.limits, rate: 400 }, updatedAt: new Date(Date.now() + 1) }
    const slower = { ...channel, updatedAt: new Date(Date.now() + 2) }
    await runLoad({ channel: faster, askers, forMs: 1000, latencyMs: 5 })
    const fast = await runLoad({ channel: faster, askers, forMs: 1000, latencyMs: 5 })
    expect(unitsOf(fast)).toBeGreaterThan(200)
    await runLoad({ channel: slower, askers, forMs: 1000, latencyMs: 5 })
    const slow = await runLoad({ channel: slower, askers, forMs: 1000, latencyMs: 5 })
    expect(unitsOf(slow)).toBeLessThanOrEqual(22)
  })

  it('that was changed holds at once also for processes that have not read it yet', async () => {
    const channel = channelWith({ rate: 20, perMs: 60_000 })
    await permit(channel)
    await permit({ ...channel, limits: { ...channel.limits, rate: 5 }, updatedAt: new Date(Date.now() + 1) })
    const got = await (limiters[1] as Limiter).take(channel, { units: 20, least: 1, lane: 'single' })
    expect(got).toMatchObject({ units: 3 })
  })

  it('below one per window is one per longer window, and what is over a whole number is left out', async () => {
    const rare = channelWith({ rate: 0.2, perMs: 200 })
    const broken = channelWith({ rate: 2.5, perMs: 1000 })
    const askers = limiters.map((one): Asker => ({ limiter: one, lane: 'single', units: 5 }))
    const runs = [rare, broken].map((channel) => runLoad({ channel, askers, forMs: 3300, latencyMs: 5 }))
    const [rarely = [], brokenly = []] = await Promise.all(runs)
    expect(windowsOver(rarely, { rate: 1, unit: 'token', perMs: 1000 })).toBe(0)
    expect(unitsOf(rarely)).toBeGreaterThanOrEqual(2)
    expect(windowsOver(brokenly, broken.limits)).toBe(0)
    expect(unitsOf(brokenly)).toBeGreaterThanOrEqual(4)
  })

  it('of one is no more than one when it is halved, and no less', async () => {
    const channel = channelWith({ rate: 1, perMs: 300 })
    await limiter().slowDown(channel, 100)
    const asker: Asker = { limiter: limiter(), lane: 'single', units: 1 }
    const arrivals = await runLoad({ channel, askers: [asker], forMs: 1500, latencyMs: 5 })
    expect(windowsOver(arrivals, channel.limits)).toBe(0)
    expect(unitsOf(arrivals)).toBeGreaterThan(1)
  })

  it('is nothing while the vendor wants a rest, then one, then half, then more', async () => {
    const channel = channelWith({ rate: 200, perMs: 200 })
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 20 }, () => limiter().slowDown(channel, 400)))
    const askers = limiters.map((one): Asker => ({ limiter: one, lane: 'bulk', units: 50 }))
    const arrivals = await runLoad({ channel, askers, forMs: 2500, latencyMs: 5 })
    const [first, second] = arrivals
    expect((first?.at ?? 0) - startedAt).toBeGreaterThanOrEqual(399)
    expect(first?.units).toBe(1)
    const begin = second?.at ?? 0
    const firstWindow = arrivals.slice(1).filter(({ at }) => at < begin + 200)
    const lastWindow = arrivals.filter(({ at }) => at >= begin + 600 && at < begin + 800)
    expect(unitsOf(firstWindow)).toBeLessThanOrEqual(106)
    expect(unitsOf(firstWindow)).toBeGreaterThan(10)
    expect(unitsOf(lastWindow)).toBeLessThanOrEqual(125)
  })

  it('is unlimited where it is 0, without Redis', async () => {
    const alone = openLimiter('redis://127.0.0.1:1')
    const channel = channelWith({ rate: 0 })
    const got = await alone.take(channel, { units: 1000, least: 1, lane: 'bulk' })
    expect(got).toMatchObject({ units: 1000 })
    void alone.slowDown(channel, 200)
    expect(await waitOf(channel, 1, 'bulk', alone)).toBeGreaterThan(100)
    await alone.close()
  })
})

describe('Redis', () => {
  it('that does not answer means: denied', async () => {
    const alone = openLimiter('redis://127.0.0.1:1', { answerMs: 100 })
    expect(await waitOf(channelWith({}), 1, 'single', alone)).toBeGreaterThanOrEqual(500)
    await alone.close()
  })

  it('that lost its memory gives nobody a second window', async () => {
    const lost = await redisOfProject()
    const [one, other] = [openLimiter(lost.url), openLimiter(lost.url)]
    await sleep(2000)
    const short = channelWith({ rate: 10, perMs: 1000 })
    const long = channelWith({ rate: 10, perMs: 4000 })
    expect(await waitOf(short, 10, 'single', one)).toBe(0)
    expect(await waitOf(long, 10, 'single', one)).toBe(0)
    await lost.flush()
    expect(await waitOf(short, 1, 'single', other)).toBeGreaterThan(900)
    expect(await waitOf(long, 1, 'single', other)).toBeGreaterThan(900)
    await sleep(1100)
    expect(await waitOf(short, 1, 'single', other)).toBe(0)
    expect(await waitOf(long, 1, 'single', other)).toBeGreaterThan(1500)
    await Promise.all([one.close(), other.close()])
    await lost.stop()
  })
})
