import type { Channel, Pusher, Pushers } from '@fanfare/core'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { openPushers } from '../src/index.ts'
import { batchOf, channelOf, ecKey, never, p8Key, serviceAccount } from './lab.ts'

jest.setTimeout(60_000)

/** With one request at a time it takes this long; side by side a fraction of it. */
const DEVICES = 100
const LATENCY_MS = 60
const ONE_BY_ONE_MS = DEVICES * LATENCY_MS

let simulator: Simulator
let pushers: Pushers
const credentials = new Map<string, string>()

beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())
beforeEach(() => {
  simulator.reset()
  // Apple knows whose key it is; the simulator would hold the other key's tokens against the team.
  Object.assign(simulator.settings, { latencyMs: LATENCY_MS, apnsTokenUpdateSeconds: 0 })
  pushers = openPushers({
    credentialOf: async (id) => credentials.get(id),
    vendorUrl: simulator.url,
    ca: simulator.caPem,
  })
})
afterEach(() => pushers.close())

type Of = { appId: string; credential: string; maxInFlight?: number }

function channel(platform: 'apns' | 'fcm', { appId, credential, maxInFlight }: Of): Channel {
  const made = channelOf(platform)
  credentials.set(made.id, credential)
  return { ...made, appId, limits: { ...made.limits, ...(maxInFlight !== undefined && { maxInFlight }) } }
}

async function timed(pusher: Pusher, platform: 'apns' | 'fcm'): Promise<number> {
  const tokens = Array.from({ length: DEVICES }, (_, n) =>
    platform === 'apns' ? n.toString(16).padStart(64, '0') : `ok-${n}`,
  )
  const from = performance.now()
  const results = await pusher.push(batchOf(tokens), never)
  expect(results.every(({ outcome }) => outcome === 'sent')).toBe(true)
  return performance.now() - from
}

describe('connections to a vendor', () => {
  it.each([
    ['apns', 'with a key of its own and the ids of another', ecKey, p8Key],
    ['apns', 'with the same key', p8Key, p8Key],
    ['fcm', 'with the same service account', () => serviceAccount('shared'), () => serviceAccount('shared')],
  ] as const)('of %s are not narrowed by another app %s', async (platform, _how, attackers, victims) => {
    const narrow = await pushers.for(channel(platform, { appId: '2', credential: attackers(), maxInFlight: 1 }))
    await narrow.push(batchOf([platform === 'apns' ? 'a'.repeat(64) : 'ok-0']), never)
    const victim = await pushers.for(channel(platform, { appId: '1', credential: victims() }))
    expect(await timed(victim, platform)).toBeLessThan(ONE_BY_ONE_MS / 2)
  })

  it('follow a changed bound of requests in flight', async () => {
    const made = channel('apns', { appId: '1', credential: p8Key(), maxInFlight: 1 })
    await (await pushers.for(made)).push(batchOf(['b'.repeat(64)]), never)
    const wider = { ...made, limits: { ...made.limits, maxInFlight: 100 }, updatedAt: new Date(Date.now() + 1) }
    expect(await timed(await pushers.for(wider), 'apns')).toBeLessThan(ONE_BY_ONE_MS / 2)
  })
})
