import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SimulatorClient } from '@fanfare/simulator'
import { type Fleet, FleetApp, FleetProcess, percentile, round, sleep } from '@fanfare/testkit'
import type { VictimOrder } from './victim.entry.ts'
import { arrivalsByUser, seedVictim } from './victim-devices.ts'
import { KINDS, type Kind, type Sent, tagOf, type VictimAddress } from './victim-load.ts'

/** The 99th percentile of each kind in ms: to the vendor for what is queued, to the answer for a synchronous push. */
export type KindFigures = Record<Kind, number>

/** An accepted push that has not ended so long after the last one was sent will not end. */
const SETTLE_MS = 30_000
const ENDED = new Set(['done', 'cancelled', 'failed'])
const SCRIPT = fileURLToPath(new URL('victim.entry.js', import.meta.url))

/** Takes the next report of the process. */
type Reports = { take(sent: Sent): void }
type Parts = { app: FleetApp; simulator: SimulatorClient; process: FleetProcess; reports: Reports }

/** The app that must not notice: what it sends, and what became of it. */
export class Victim {
  readonly #app: FleetApp
  readonly #simulator: SimulatorClient
  readonly #process: FleetProcess
  readonly #sent = new Map<string, Sent>()
  /** Members accepted whose record does not say that they were sent. */
  #unrecorded = 0
  readonly #reports: Reports

  private constructor({ app, simulator, process, reports }: Parts) {
    this.#app = app
    this.#simulator = simulator
    this.#process = process
    this.#reports = reports
  }

  static async create(fleet: Fleet, simulator: SimulatorClient): Promise<Victim> {
    const app = await FleetApp.create(fleet, { org: 'tenants', name: 'victim' })
    await app.liftTaskLimits()
    await seedVictim(app)
    const address: VictimAddress = { url: fleet.api.url, path: app.path, token: app.token }
    const reports: Reports = { take: () => undefined }
    const process = await FleetProcess.start({
      name: 'victim',
      script: SCRIPT,
      args: [JSON.stringify(address)],
      logFile: join(fleet.dir, 'log', 'victim.log'),
      onMessage: (message) => reports.take(message as Sent),
    })
    return new Victim({ app, simulator, process, reports })
  }

  /** Sends at its pace for as long as `during` takes, then waits for the end of all that it sent. */
  async beside(phase: string, during: () => Promise<unknown>): Promise<void> {
    this.#order({ begin: phase })
    await during()
    const reported = new Promise<Sent>((resolve) => {
      this.#reports.take = resolve
    })
    this.#order({ end: true })
    const sent = await reported
    this.#sent.set(phase, sent)
    this.#unrecorded += await this.#settle(sent.tasks)
  }

  /** 99th percentiles of a phase that has settled. */
  async figures(phase: string): Promise<KindFigures> {
    const p99 = async (kind: Kind) =>
      kind === 'sync'
        ? percentile(this.#sent.get(phase)?.syncMs ?? [], 0.99)
        : (await this.#simulator.latency({ tag: tagOf(kind, phase) })).p99
    const pairs = await Promise.all(KINDS.map(async (kind) => [kind, round(await p99(kind))] as const))
    return Object.fromEntries(pairs) as KindFigures
  }

  /**
   * `lost`: requests without a proper answer, and members that did not arrive or whose record does not say so.
   * `duplicates`: members that arrived more often than they were sent.
   */
  async account(): Promise<{ lost: number; refused: number; duplicates: number }> {
    const sents = [...this.#sent.values()]
    const sum = (of: (sent: Sent) => number) => sents.reduce((all, sent) => all + of(sent), 0)
    let missing = 0
    let duplicates = 0
    for (const [user, count] of (await arrivalsByUser(this.#simulator)).entries()) {
      const expected = sum((sent) => sent.expected[user] ?? 0)
      missing += Math.max(0, expected - count)
      duplicates += Math.max(0, count - expected - sum((sent) => sent.doubtful[user] ?? 0))
    }
    const lost = Math.max(this.#unrecorded, missing) + sum(({ failed }) => failed)
    return { lost, refused: sum(({ refused }) => refused), duplicates }
  }

  async close(): Promise<void> {
    this.#app.http.close()
    await this.#process.kill()
  }

  #order(order: VictimOrder): void {
    this.#process.send(order)
  }

  async #settle(tasks: Sent['tasks']): Promise<number> {
    const deadline = performance.now() + SETTLE_MS
    let unrecorded = 0
    for (const [taskId, members] of Object.entries(tasks)) {
      let task = await this.#app.task(taskId)
      while (!ENDED.has(task.state) && performance.now() < deadline) {
        await sleep(50)
        task = await this.#app.task(taskId)
      }
      unrecorded += members - task.counts.ASYNC_SUCCESS
    }
    return unrecorded
  }
}
