import { type SimulatorClient, simulatorClient } from '@fanfare/simulator'
import {
  apnsToken,
  countedOf,
  Fleet,
  FleetApp,
  numberOf,
  type Options,
  okToken,
  progress,
  seedDevices,
  storeOptions,
  Usage,
  until,
} from '@fanfare/testkit'
import { RedisPeak } from '../tools/redis-peak.ts'
import { type DirectFeed, openDirectFeed } from './direct.ts'
import type { Platform } from './prepared.ts'

export type BroadcastRound = {
  accepted: number
  delivered: number
  counted: number
  duplicates: number
  seconds: number
  secondsToDone: number
  devicesPerSec: number
  cpuSec: number
  rssMbPeak: number
  redisMbPeak: number
}

const DONE_WITHIN_MS = 1800_000
const EVERY = 100_000

/** The whole fleet with one app and one unlimited channel of `devices` devices. */
export class BroadcastBench {
  readonly fleet: Fleet
  readonly app: FleetApp
  readonly simulator: SimulatorClient
  readonly #platform: Platform
  readonly #devices: number
  readonly #direct: DirectFeed | undefined

  private constructor(app: FleetApp, what: { platform: Platform; devices: number; direct: DirectFeed | undefined }) {
    this.fleet = app.fleet
    this.app = app
    this.#platform = what.platform
    this.#devices = what.devices
    this.#direct = what.direct
    this.simulator = simulatorClient(app.fleet.controlUrl)
  }

  static async start(options: Options, platform: Platform, devices: number): Promise<BroadcastBench> {
    const fleet = await Fleet.start({
      ...storeOptions(options),
      workers: numberOf(options, 'workers'),
      log: progress,
    })
    const app = await FleetApp.create(fleet)
    await app.liftTaskLimits()
    const channelId = await app.addNotifier(platform, 'bench')
    await bindAll(app, channelId, { platform, devices })
    const direct = options['direct'] === true ? await openDirectFeed(app, { platform, channelId, devices }) : undefined
    const bench = new BroadcastBench(app, { platform, devices, direct })
    await bench.simulator.setMode({ bodies: false })
    return bench
  }

  /** One broadcast to everyone, from the request to the task's end. */
  async round(): Promise<BroadcastRound> {
    await this.simulator.resetJournal()
    const cpu = new Usage(() => this.fleet.pids())
    const rss = new Usage(() => this.fleet.servicePids())
    const redis = new RedisPeak(this.fleet.redis)
    const { taskId, startedAt } = await (this.#direct ? this.#direct.start() : this.#post())
    const task = await this.app.taskDone(taskId, { withinMs: DONE_WITHIN_MS })
    const secondsToDone = (Date.now() - startedAt) / 1000
    const arrived = await this.#arrived(startedAt)
    const cpuSec = cpu.cpuSec()
    cpu.stop()
    rss.stop()
    return {
      accepted: this.#devices,
      delivered: arrived.unique,
      counted: countedOf(task),
      duplicates: arrived.duplicates,
      seconds: arrived.seconds,
      secondsToDone,
      devicesPerSec: this.#devices / arrived.seconds,
      cpuSec,
      rssMbPeak: rss.rssMbPeak,
      redisMbPeak: await redis.stop(),
    }
  }

  async close(): Promise<void> {
    await this.#direct?.close()
    await this.fleet.close()
  }

  async #post(): Promise<{ taskId: string; startedAt: number }> {
    const startedAt = Date.now()
    const pushMessage = { title: 'Fanfare', content: 'a broadcast to everyone' }
    const { body } = await this.app.call('POST', 'push/task', { pushMessage, strategy: 2 })
    return { taskId: String((body as { data: number }).data), startedAt }
  }

  async #arrived(startedAt: number): Promise<{ unique: number; duplicates: number; seconds: number }> {
    const ask = async () => {
      const counts = await this.simulator.counts(this.#platform)
      return counts.unique >= this.#devices ? counts : undefined
    }
    const counts = await until('all have arrived', ask, { withinMs: 10_000 }).catch(() =>
      this.simulator.counts(this.#platform),
    )
    const { timesMs } = await this.simulator.arrivals(this.#platform)
    const seconds = ((timesMs.at(-1) ?? startedAt) - startedAt) / 1000
    return { unique: counts.unique, duplicates: counts.duplicates, seconds }
  }
}

/** Through the store: what the API's binding route writes, without the HTTP. */
export async function bindAll(
  app: FleetApp,
  channelId: string,
  what: { platform: Platform; devices: number },
): Promise<void> {
  const startedAt = performance.now()
  await seedDevices(await app.fleet.openStore(), {
    appId: await app.appId(),
    channelId,
    count: what.devices,
    tokenOf: (index) => (what.platform === 'apns' ? apnsToken(index) : okToken(index)),
    onProgress: (done) => {
      if (done % EVERY === 0) progress(`${done} devices bound`)
    },
  })
  progress(`${what.devices} devices bound in ${Math.round(performance.now() - startedAt)} ms`)
}
