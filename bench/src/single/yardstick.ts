import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FleetProcess, until } from '@fanfare/testkit'
import type { WorkerReport } from './yardstick-worker.entry.ts'

type Where = { redisUrl: string; logDir: string }

/** The two processes of the yardstick (yardstick-api.entry.ts, yardstick-worker.entry.ts), and what they count. */
export class SingleYardstick {
  readonly api: FleetProcess
  readonly #worker: FleetProcess
  readonly #seen: WorkerReport

  private constructor(api: FleetProcess, worker: FleetProcess, seen: WorkerReport) {
    this.api = api
    this.#worker = worker
    this.#seen = seen
  }

  static async start(where: Where): Promise<SingleYardstick> {
    const seen: WorkerReport = { entered: 0, lastAt: 0, latenciesMs: [] }
    const onMessage = (message: unknown) => {
      const report = message as WorkerReport
      seen.entered = report.entered
      seen.lastAt = report.lastAt
      seen.latenciesMs.push(...report.latenciesMs)
    }
    const worker = await entry('yardstick-worker', where, onMessage)
    return new SingleYardstick(await entry('yardstick-api', where), worker, seen)
  }

  get entered(): number {
    return this.#seen.entered
  }

  /** Waits until `count` jobs in all have been entered; answers when the last one was (ms since 1970). */
  async waitFor(count: number): Promise<number> {
    const ask = () => (this.#seen.entered >= count ? this.#seen.lastAt : undefined)
    return until(`${count} jobs in the yardstick`, ask, { withinMs: 60_000, everyMs: 10 })
  }

  takeLatencies(): number[] {
    return this.#seen.latenciesMs.splice(0)
  }

  async stop(): Promise<void> {
    await Promise.all([this.api.stop(), this.#worker.stop()])
  }
}

function entry(name: string, where: Where, onMessage?: (message: unknown) => void): Promise<FleetProcess> {
  return FleetProcess.start({
    name,
    script: fileURLToPath(new URL(`./${name}.entry.js`, import.meta.url)),
    args: [where.redisUrl],
    logFile: join(where.logDir, `${name}.log`),
    ...(onMessage ? { onMessage } : {}),
  })
}
