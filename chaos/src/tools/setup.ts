import { type SimulatorClient, simulatorClient } from '@fanfare/simulator'
import {
  Fleet,
  FleetApp,
  type FleetOptions,
  numberOf,
  type Options,
  okToken,
  progress,
  randomSeed,
  STORE_OPTIONS,
  seedDevices,
  seededRandom,
  storeOptions,
} from '@fanfare/testkit'

/** What every scenario of single pushes understands. */
export const COMMON_OPTIONS = {
  ...STORE_OPTIONS,
  count: { type: 'string', default: '10000' },
  seed: { type: 'string' },
  'vendor-ms': { type: 'string', default: '20' },
  'without-sweeper': { type: 'boolean', default: false },
  'expect-loss': { type: 'boolean', default: false },
} as const

export type Setup = {
  fleet: Fleet
  app: FleetApp
  simulator: SimulatorClient
  count: number
  seed: number
  random: () => number
  startedAt: number
}

/** The two channels that users are spread over: one of single tokens over HTTP/2, one of batches over HTTP/1.1. */
export const CHANNELS = ['fcm', 'xiaomi'] as const

/**
 * Every so-manieth vendor answer of single pushes takes longer than a lock lasts between two renewals: such a push is
 * in flight at a kill with certainty, and its job may come round again before its lease has passed.
 */
const SLOW = { every: 25, ms: 8000 }

/** A fleet with one app, two channels without limits and `count` users, each with one device on one of them. */
export async function setUp(options: Options, fleetOptions: FleetOptions = {}): Promise<Setup> {
  const seed = options['seed'] === undefined ? randomSeed() : numberOf(options, 'seed')
  progress(`seed ${seed}`)
  const fleet = await Fleet.start({ ...storeOptions(options), log: progress, ...fleetOptions })
  try {
    const app = await FleetApp.create(fleet)
    const count = numberOf(options, 'count')
    await seedUsers(app, count, options['slow'] === true)
    const simulator = simulatorClient(fleet.controlUrl)
    await simulator.settings({ latencyMs: numberOf(options, 'vendor-ms') })
    return { fleet, app, simulator, count, seed, random: seededRandom(seed), startedAt: performance.now() }
  } catch (error) {
    await fleet.close()
    throw error
  }
}

async function seedUsers(app: FleetApp, count: number, slow: boolean): Promise<void> {
  const store = await app.fleet.openStore()
  const appId = await app.appId()
  const half = Math.ceil(count / CHANNELS.length)
  for (const [index, platform] of CHANNELS.entries()) {
    const channelId = await app.addNotifier(platform, `chaos-${platform}`)
    const from = index * half
    const tokenOf = (user: number) => okToken(user, slow && user % SLOW.every === 0 ? SLOW.ms : 0)
    await seedDevices(store, { appId, channelId, from, count: Math.min(half, count - from), tokenOf })
  }
}
