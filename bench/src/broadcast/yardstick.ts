import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Fleet, FleetProcess } from '@fanfare/testkit'
import type { Platform } from './prepared.ts'

export type YardstickOrder = { url: string; caFile: string; platform: Platform; devices: number }
/** Milliseconds since 1970. */
export type YardstickRun = { startedAt: number; endedAt: number }

/** The barest sender of the same bytes to the same simulator: yardstick-batch.entry.ts or yardstick-h2.entry.ts. */
export class BroadcastYardstick {
  readonly #process: FleetProcess
  readonly #waiting: ((run: YardstickRun) => void)[]

  private constructor(process: FleetProcess, waiting: ((run: YardstickRun) => void)[]) {
    this.#process = process
    this.#waiting = waiting
  }

  static async start(fleet: Fleet, platform: Platform, devices: number): Promise<BroadcastYardstick> {
    const kind = platform === 'xiaomi' || platform === 'huawei' ? 'batch' : 'h2'
    const caFile = fleet.environment()['VENDOR_CA'] ?? ''
    const order: YardstickOrder = { url: fleet.simulator.url, caFile, platform, devices }
    const waiting: ((run: YardstickRun) => void)[] = []
    const process = await FleetProcess.start({
      name: `yardstick-${kind}`,
      script: fileURLToPath(new URL(`./yardstick-${kind}.entry.js`, import.meta.url)),
      args: [JSON.stringify(order)],
      logFile: join(fleet.dir, 'log', `yardstick-${kind}.log`),
      readyWithinMs: 60_000,
      onMessage: (run) => waiting.shift()?.(run as YardstickRun),
    })
    return new BroadcastYardstick(process, waiting)
  }

  /** Sends to all devices once. Rejects where the process ends meanwhile. */
  run(): Promise<YardstickRun> {
    const done = new Promise<YardstickRun>((resolve) => this.#waiting.push(resolve))
    const ended = this.#process.exited.then(() => Promise.reject(new Error('the yardstick ended, see its log')))
    this.#process.send({ run: true })
    return Promise.race([done, ended])
  }

  async stop(): Promise<void> {
    await this.#process.stop()
  }
}
