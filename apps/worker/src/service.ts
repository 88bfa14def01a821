import { setTimeout as sleep } from 'node:timers/promises'
import { Sweeper } from '@fanfare/core'
import { type Consumer, type PlanConsumer, PolicyError } from '@fanfare/queue'
import { within } from '@fanfare/redis'
import type { Opened } from '@fanfare/runtime'
import type { WorkerConfig } from './config.ts'
import { consumeDeliveries } from './consume/deliver.ts'
import { consumePlanJobs } from './consume/plan.ts'
import { type Counters, createContext, type WorkerContext } from './context.ts'
import { openParts, type Parts } from './open.ts'

export type WorkerOverrides = Partial<Parts> & {
  /** Leaves the sweeper out: chaos tests show what is lost without it. */
  sweeper?: false
  /** A consumer has silently stopped: the process should end and be started anew. */
  onStuck?: (platform: string) => void
}

const REDIS_AGAIN_MS = 500
const TRIES_PER_LINE = 10

/** A worker: takes jobs, hands pushes to the vendors, records what became of them, plans tasks and sweeps. */
export class WorkerService {
  readonly #opened: Opened<Parts>
  readonly #overrides: WorkerOverrides
  readonly #ctx: WorkerContext
  #consumers: Consumer[] = []
  #planner: PlanConsumer | undefined
  #sweeper: Sweeper | undefined
  #destroyed: Promise<boolean> | undefined

  private constructor(config: WorkerConfig, opened: Opened<Parts>, overrides: WorkerOverrides) {
    this.#opened = opened
    this.#overrides = overrides
    this.#ctx = createContext(config, opened.parts)
  }

  /** Opens the parts; rejects where the store cannot be opened. Redis may be down. */
  static async create(config: WorkerConfig, overrides: WorkerOverrides = {}): Promise<WorkerService> {
    return new WorkerService(config, await openParts(config, overrides), overrides)
  }

  get counters(): Counters {
    return this.#ctx.counters
  }

  /** Resolves when a job of every queue would be taken. Rejects where Redis would throw jobs away; waits for Redis. */
  async start(): Promise<void> {
    const { clock, deliverer, hints, log, memory } = this.#ctx
    await this.#redisReady()
    memory.start()
    await clock.read()
    await hints.subscribe((channelId) => deliverer.channelChanged(channelId))
    const onStuck = (platform: string) => {
      log.error({ alert: 'stuck', platform }, 'jobs wait and none is taken')
      this.#overrides.onStuck?.(platform)
    }
    this.#consumers = consumeDeliveries(this.#ctx, onStuck)
    this.#planner = consumePlanJobs(this.#ctx)
    if (this.#overrides.sweeper !== false) {
      this.#sweeper = new Sweeper(this.#ctx)
      this.#sweeper.start()
    }
    await Promise.all([...this.#consumers, this.#planner].map((consumer) => consumer.ready()))
  }

  async #redisReady(): Promise<void> {
    for (let tries = 0; this.#destroyed === undefined; tries++) {
      try {
        return await this.#ctx.jobs.checkPolicy()
      } catch (error) {
        if (error instanceof PolicyError) throw error
        if (tries % TRIES_PER_LINE === 0) this.#ctx.log.warn({ error: String(error) }, 'Redis does not answer yet')
        await sleep(REDIS_AGAIN_MS)
      }
    }
  }

  /**
   * Takes no more jobs, lets single pushes finish, ends chunks at their next window and hands back the rest. What still
   * runs after `drainMs` is aborted. Answers whether everything ended within `exitMs`.
   */
  destroy(): Promise<boolean> {
    this.#destroyed ??= this.#destroy()
    return this.#destroyed
  }

  async #destroy(): Promise<boolean> {
    const { config, deliverer, log, memory, window } = this.#ctx
    memory.stop()
    const until = performance.now() + config.exitMs
    const left = () => Math.max(100, until - performance.now())
    for (const consumer of this.#consumers) consumer.stopTaking()
    deliverer.stop()
    const abort = setTimeout(() => this.#abort(), config.drainMs)
    const ended = Promise.all(this.#consumers.map((consumer) => consumer.close(left())))
    const planned = this.#planner?.close(left()) ?? true
    await endsIn(left(), this.#sweeper?.stop())
    const clean = (await ended).every(Boolean) && (await planned)
    clearTimeout(abort)
    const recorded = await endsIn(left(), Promise.all([deliverer.close(), window.idle()]))
    await endsIn(left(), this.#opened.close())
    if (!clean || !recorded) log.error({ clean, recorded }, 'the worker was cut short')
    return clean && recorded
  }

  #abort(): void {
    for (const consumer of this.#consumers) consumer.abort()
  }
}

/** Whether the work ended in time. */
function endsIn(ms: number, work: Promise<unknown> | undefined): Promise<boolean> {
  const ended = Promise.resolve(work).then(
    () => true,
    () => false,
  )
  return within(ms, ended, () => false)
}
