import { setTimeout as sleep } from 'node:timers/promises'
import { accountKey, type Channel, type Limiter, type Permit } from '@fanfare/core'
import { connect, connected, disconnect, mastersOf } from '@fanfare/redis'
import { type RedisSet, redisOfProject } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openLimiter } from '../src/index.ts'
import { asking, channelWith } from './limiter-load.ts'

jest.setTimeout(60_000)

let service: RedisSet
let one: Limiter
let other: Limiter

beforeAll(async () => {
  service = await redisOfProject()
  one = openLimiter(service.url)
  other = openLimiter(service.url)
  await sleep(2000)
})
afterAll(async () => {
  await Promise.all([one.close(), other.close()])
  await service.stop()
})

const { waitOf } = asking(() => one)

/** Asks until there is a permit, as everybody does. */
async function patiently(channel: Channel, from: Limiter, units = 1): Promise<Permit> {
  for (;;) {
    const got = await from.take(channel, { units, least: 1, lane: 'single' })
    if (!('afterMs' in got)) return got
    await sleep(Math.min(got.afterMs, 50))
  }
}

const until = async (holds: () => boolean) => {
  while (!holds()) await sleep(2)
}

describe.each([
  ['a limit', 500],
  ['no limit', 0],
])('an account with %s that is to be left alone', (_, rate) => {
  it('is left alone by every process, with the permits they had before', async () => {
    const channel = channelWith({ rate, perMs: 1000 })
    const [own, foreign] = [await patiently(channel, one), await patiently(channel, other)]
    expect([own.restMs?.(), foreign.restMs?.()]).toEqual([0, 0])
    void one.slowDown(channel, 3000)
    expect(own.restMs?.()).toBeGreaterThan(2000)
    expect(await waitOf(channel, 1, 'single', one)).toBeGreaterThan(2000)
    await until(() => (foreign.restMs?.() ?? 0) > 0)
    expect(await waitOf(channel, 1, 'single', other)).toBeGreaterThan(2000)
  })

  it('is left alone for as long as the last of a wave of refusals asked', async () => {
    const channel = channelWith({ rate, perMs: 1000 })
    void one.slowDown(channel, 1500)
    await sleep(700)
    const told = performance.now()
    void one.slowDown(channel, 1500)
    await patiently(channel, one)
    expect(performance.now() - told).toBeGreaterThanOrEqual(1500)
  })

  it('gets one request then, and others when that is answered and not before', async () => {
    const channel = channelWith({ rate, perMs: 1000 })
    await one.slowDown(channel, 300)
    const first = await patiently(channel, one, 100)
    expect(first.units).toBe(1)
    expect(await waitOf(channel)).toBeGreaterThan(0)
    await sleep(300)
    expect(await waitOf(channel)).toBeGreaterThan(0)
    await one.slowDown(channel, 300)
    first.answered()
    const second = await patiently(channel, one, 100)
    expect(second.units).toBe(1)
    second.unused()
    const third = await patiently(channel, one, 100)
    expect(third.units).toBe(1)
    third.answered()
    expect((await patiently(channel, one, 100)).units).toBeGreaterThan(1)
  })
})

describe('an account with a limit', () => {
  it('gets one request of the entire fleet after it was left alone', async () => {
    const channel = channelWith({ rate: 500, perMs: 1000 })
    await one.slowDown(channel, 300)
    const got = [patiently(channel, one), patiently(channel, other), patiently(channel, one, 25)]
    const first = await Promise.race(got)
    await sleep(300)
    expect((await Promise.race([Promise.all(got), sleep(1, 'not all')])) === 'not all').toBe(true)
    first.answered()
    await Promise.all(got)
  })

  it('is left alone also where Redis hears of it late', async () => {
    const channel = channelWith({ rate: 500, perMs: 1000 })
    const client = connect(service.url, 'endless')
    await connected(client, 10_000)
    await Promise.all(mastersOf(client).map((master) => master.call('CLIENT', 'PAUSE', '1500', 'ALL')))
    const told = performance.now()
    await one.slowDown(channel, 4000)
    expect(await waitOf(channel, 1, 'single', other)).toBeGreaterThan(0)
    await patiently(channel, other)
    expect(performance.now() - told).toBeGreaterThanOrEqual(4000)
    disconnect(client)
  })

  it('comes back with one request also where it became another account meanwhile', async () => {
    const [from, to] = [channelWith({ rate: 500, perMs: 1000 }), channelWith({ rate: 500, perMs: 1000 })]
    await one.slowDown(from, 300)
    await one.carry(accountKey(from), accountKey(to), true)
    expect((await patiently(to, other, 100)).units).toBe(1)
    expect(await waitOf(to)).toBeGreaterThan(0)
  })
})
