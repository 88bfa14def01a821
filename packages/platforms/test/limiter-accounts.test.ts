import { setTimeout as sleep } from 'node:timers/promises'
import { accountKey, type Channel, type Limiter } from '@fanfare/core'
import { type RedisSet, redisOfProject } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { openLimiter } from '../src/index.ts'
import { type Asker, asking, channelWith, runLoad, windowsOver } from './limiter-load.ts'

// A cluster needs a while to start on a busy machine.
jest.setTimeout(60_000)

let service: RedisSet
let limiters: Limiter[]
beforeAll(async () => {
  service = await redisOfProject()
  limiters = [1, 2].map(() => openLimiter(service.url))
  await sleep(2000)
})
afterAll(async () => {
  await Promise.all(limiters.map((limiter) => limiter.close()))
  await service.stop()
})

const limiter = (): Limiter => limiters[0] as Limiter
const { permit, waitOf } = asking(limiter)

/** The channel as it is read once it counts against the other's account. */
const movedTo = (channel: Channel, other: Channel): Channel => ({
  ...channel,
  account: { id: '', proof: '', key: accountKey(other) },
})
const carry = (from: Channel, to: Channel, moves: boolean) => limiter().carry(accountKey(from), accountKey(to), moves)

describe('an account that becomes part of another', () => {
  it('brings along what it has used, and is sent on no more', async () => {
    const [from, to] = [channelWith({ rate: 10, perMs: 60_000 }), channelWith({ rate: 10, perMs: 60_000 })]
    const [answered, underWay] = [await permit(from, 3), await permit(from, 2)]
    await permit(to, 1)
    answered.answered()
    await sleep(60)
    await carry(from, to, true)
    expect(await waitOf(from)).toBeGreaterThan(500)
    await permit(movedTo(from, to), 3)
    await permit(to, 1)
    expect(await waitOf(to)).toBeGreaterThan(1000)
    underWay.answered()
  })

  it('brings along its back-off', async () => {
    const [from, to] = [channelWith({ rate: 100, perMs: 200 }), channelWith({ rate: 100, perMs: 200 })]
    await limiter().slowDown(from, 5000)
    await carry(from, to, true)
    expect(await waitOf(to)).toBeGreaterThan(3000)
  })

  it('may be carried twice, as after a failure, and counts once', async () => {
    const [from, to] = [channelWith({ rate: 10, perMs: 60_000 }), channelWith({ rate: 10, perMs: 60_000 })]
    await permit(from, 4)
    await carry(from, to, true)
    await carry(from, to, true)
    await permit(to, 6)
  })

  it('never lets more through than the limit while processes hear of it one after the other', async () => {
    const [from, to] = [channelWith({ rate: 60, perMs: 300 }), channelWith({ rate: 60, perMs: 300 })]
    const late = movedTo(from, to)
    const before = [from, to].map((channel, index) => {
      const askers: Asker[] = [{ limiter: limiters[index] as Limiter, lane: 'single', units: 3 }]
      return runLoad({ channel, askers, forMs: 700, latencyMs: 20 })
    })
    await Promise.all(before)
    await carry(from, to, true)
    const askers: Asker[] = [{ limiter: limiter(), lane: 'single', units: 3 }]
    const runs = [late, from, to].map((channel) => runLoad({ channel, askers, forMs: 900, latencyMs: 20 }))
    const after = (await Promise.all(runs)).flat().sort((one, other) => one.at - other.at)
    expect(after.length).toBeGreaterThan(10)
    expect(windowsOver(after, to.limits)).toBe(0)
  })
})

describe('an account that is split', () => {
  it('leaves both with what it has used', async () => {
    const [stays, leaves] = [channelWith({ rate: 10, perMs: 60_000 }), channelWith({ rate: 10, perMs: 60_000 })]
    await permit(stays, 6)
    await carry(stays, leaves, false)
    await permit(stays, 4)
    await permit(leaves, 4)
    expect(await waitOf(stays)).toBeGreaterThan(1000)
    expect(await waitOf(leaves)).toBeGreaterThan(1000)
  })

  it('may be one that had moved here just before', async () => {
    const [one, other] = [channelWith({ rate: 4, perMs: 60_000 }), channelWith({ rate: 4, perMs: 60_000 })]
    const underWay = await permit(other, 1)
    await permit(one, 1)
    await carry(other, one, true)
    underWay.answered()
    await sleep(60)
    await permit(one, 1)
    await carry(one, other, false)
    expect(await waitOf(other, 2)).toBeGreaterThan(1000)
    await permit({ ...other, limits: { ...other.limits, rate: 5 }, updatedAt: new Date(Date.now() + 1) }, 2)
  })
})
