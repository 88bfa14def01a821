import { type SimulatorClient, simulatorClient } from '@fanfare/simulator'
import {
  Fleet,
  FleetApp,
  type FleetPlatform,
  numberOf,
  type Options,
  oneOf,
  progress,
  seedDevices,
  storeOptions,
  Usage,
  until,
} from '@fanfare/testkit'
import { Probe } from '../tools/probe.ts'
import { pushRequests } from './bodies.ts'
import { CONNECTIONS, load } from './load.ts'

export type OurRound = {
  accepted: number
  delivered: number
  duplicates: number
  acceptedPerSec: number
  perSec: number
  acceptMsP50: number
  acceptMsP99: number
  deliverMsP50: number
  deliverMsP99: number
  cpuSec: number
  rssMbPeak: number
  redisMbPeak: number
}

const PLATFORMS = ['fcm', 'xiaomi'] as const satisfies readonly FleetPlatform[]
/** As many users as one round can need at most, so that no user is pushed twice in a round. */
const USERS = { sqlite: 60_032, mongo: 10_048 }
const DRAIN_MS = 120_000

/** The real thing: fleet, one app, one unlimited channel, one device per user. */
export class SingleBench {
  readonly fleet: Fleet
  readonly app: FleetApp
  readonly simulator: SimulatorClient
  readonly #users: number
  readonly platform: FleetPlatform

  private constructor(fleet: Fleet, app: FleetApp, users: number, platform: FleetPlatform) {
    this.fleet = fleet
    this.app = app
    this.#users = users
    this.platform = platform
    this.simulator = simulatorClient(fleet.controlUrl)
  }

  static async start(options: Options): Promise<SingleBench> {
    const store = storeOptions(options)
    const platform = oneOf(options, 'platform', PLATFORMS)
    const fleet = await Fleet.start({ ...store, workers: numberOf(options, 'workers'), log: progress })
    const app = await FleetApp.create(fleet)
    await app.liftTaskLimits()
    const channelId = await app.addNotifier(platform, 'bench')
    const count = USERS[store.store]
    progress(`binding ${count} devices`)
    await seedDevices(await fleet.openStore(), { appId: await app.appId(), channelId, count })
    const bench = new SingleBench(fleet, app, count, platform)
    await bench.simulator.setMode({ bodies: false })
    return bench
  }

  /** Pushes to `count` users as fast as answers come, and waits until the last has arrived at the simulator. */
  async round(count: number): Promise<OurRound> {
    const size = Math.min(count, this.#users - (this.#users % CONNECTIONS))
    const { url } = this.fleet.api
    const requests = pushRequests(`${this.app.path}/push/single`, this.app.token, size)
    await this.simulator.resetJournal()
    const usage = new Usage(() => this.fleet.pids())
    const rss = new Usage(() => this.fleet.servicePids())
    const probe = new Probe(this.app, { users: this.#users })
    const loaded = await load({ url, requests })
    const probes = await probe.stop()
    const delivered = await this.#drained(loaded.accepted + probes)
    const cpuSec = usage.cpuSec()
    usage.stop()
    rss.stop()
    const seconds = (delivered.lastAtMs - loaded.startedAt) / 1000
    const latency = await this.simulator.latency({ vendor: this.platform })
    return {
      accepted: loaded.accepted,
      delivered: delivered.unique - probes,
      duplicates: delivered.duplicates,
      acceptedPerSec: (loaded.accepted * 1000) / (loaded.endedAt - loaded.startedAt),
      perSec: loaded.accepted / seconds,
      acceptMsP50: loaded.p50Ms,
      acceptMsP99: loaded.p99Ms,
      deliverMsP50: latency.p50,
      deliverMsP99: latency.p99,
      cpuSec,
      rssMbPeak: rss.rssMbPeak,
      redisMbPeak: await this.fleet.redis.usedMb(),
    }
  }

  close(): Promise<void> {
    return this.fleet.close()
  }

  /** Waits until `count` pushes have arrived. */
  arrived(count: number): Promise<{ unique: number; duplicates: number }> {
    const all = async () => {
      const counts = await this.simulator.counts(this.platform)
      return counts.unique >= count ? counts : undefined
    }
    return until(`${count} arrivals`, all, { withinMs: DRAIN_MS, everyMs: 20 })
  }

  async #drained(count: number): Promise<{ unique: number; duplicates: number; lastAtMs: number }> {
    const counts = await this.arrived(count)
    const { timesMs } = await this.simulator.arrivals(this.platform)
    return { unique: counts.unique, duplicates: counts.duplicates, lastAtMs: timesMs.at(-1) ?? 0 }
  }
}
