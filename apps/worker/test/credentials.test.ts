import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type Channel, sentenceOfPause } from '@fanfare/core'
import { apnsToken } from '@fanfare/simulator'
import { forgeries } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

/** Far below the seconds that these cost where they are worked on in the event loop. */
const STILL_MS = 1000

/** As a version stored it that proved nothing: written past the API. */
async function stored(platform: 'apns' | 'fcm', credential: string): Promise<Channel> {
  const id = await rig.id()
  const limits = { rate: 0, unit: 'token', perMs: 1000 } as const
  const settings = { keyId: 'ABCDE12345', teamId: 'TEAM123456', bundleId: 'org.example.demo' }
  const channel = { id, appId: await rig.app(), platform, name: `stored-${id}`, limits, settings }
  await rig.store.channels.insert(channel, credential)
  const [made] = await rig.store.channels.byIds([id])
  if (!made) throw new Error('the channel is not there')
  return made
}

async function push(channel: Channel, token: string): Promise<string> {
  const [device = ''] = await rig.devices(channel, [token])
  const task = await rig.task(channel, [device])
  await rig.enqueue(channel, [task])
  return task
}

const pausedFor = async (channel: Channel): Promise<string | undefined> => {
  const [now] = await rig.store.channels.byIds([channel.id])
  return now?.pause && sentenceOfPause(now.pause)
}

describe('a credential that an older version stored', () => {
  const { blanks, p12WithSealOf, rsaKeyOf, dsaKeyOf, accountWith } = forgeries
  it.each([
    ['64 KB of blanks', 'apns', () => blanks(), /neither a p8 key nor a p12/],
    ['a p12 of 4.2 million rounds', 'apns', () => p12WithSealOf(4_200_000), /too many rounds/],
    ['an RSA key of 16,384 bits', 'fcm', () => accountWith(rsaKeyOf(16_384)), /longer than 4,096 bits/],
    ['a DSA key of 8,000 bits', 'fcm', () => accountWith(dsaKeyOf(1000)), /neither RSA nor/],
  ] as const)('holds nobody up and is paused: %s', async (_name, platform, make, reason) => {
    const bad = await stored(platform, make())
    const good = await rig.channel('fcm')
    await rig.worker()
    const delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
    const attack = [await push(bad, apnsToken('ok', 1)), await push(bad, apnsToken('ok', 2))]
    const sent = await Promise.all(Array.from({ length: 20 }, (_, n) => push(good, `ok-${bad.id}-${n}`)))
    for (const task of sent) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    await until('it is paused', async () => (await pausedFor(bad)) !== undefined)
    delay.disable()
    expect(await pausedFor(bad)).toMatch(reason)
    expect(delay.max / 1e6).toBeLessThan(STILL_MS)
    for (const task of attack) await rig.cancel(task)
  })

  it('still opens where it is a p12', async () => {
    const channel = await stored('apns', JSON.stringify({ p12: forgeries.p12('secret'), password: 'secret' }))
    await rig.worker()
    expect(await rig.outcomes(await push(channel, apnsToken('ok', 3)))).toEqual({ sent: 1 })
  })
})

describe('a credential that ends the process that opens it', () => {
  it('is opened five times and never again, its channel is paused, and others go on', async () => {
    const bad = await stored('apns', JSON.stringify({ p12: forgeries.p12('secret'), password: 'secret' }))
    const good = await rig.channel('fcm')
    let begun = 0
    // As in a process that is gone: the opening does not come back.
    const never = () => {
      begun++
      return new Promise<never>(() => undefined)
    }
    const prover = { prove: never, close: async () => undefined }
    for (let time = 1; time <= 5; time++) {
      await rig.worker({ prover }, { drainMs: 100, exitMs: 300 })
      await push(bad, apnsToken('ok', 10 + time))
      await until(`it is opened the ${time}. time`, () => begun === time)
      await rig.stopWorkers()
    }
    await rig.worker({ prover })
    const task = await push(bad, apnsToken('ok', 20))
    expect(await rig.outcomes(await push(good, 'ok-beside'))).toEqual({ sent: 1 })
    await until('it is paused', async () => (await pausedFor(bad)) !== undefined, 40_000)
    expect(await pausedFor(bad)).toMatch(/opening it ended the process 5 times/)
    expect(begun).toBe(5)
    expect(await rig.counts(task)).toEqual({ unsent: 1 })
  }, 90_000)

  it('loses nothing where openings come back', async () => {
    const channels = await Promise.all(Array.from({ length: 4 }, () => rig.channel('fcm')))
    await Promise.all(Array.from({ length: 3 }, () => rig.worker()))
    const tasks = await Promise.all(
      channels.flatMap((channel) => Array.from({ length: 10 }, (_, n) => push(channel, `ok-${channel.id}-${n}`))),
    )
    for (const task of tasks) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    for (const channel of channels) expect(await pausedFor(channel)).toBeUndefined()
  })
})
