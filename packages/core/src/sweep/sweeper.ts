import { MAX_STARTS } from '../ledger/retry.ts'
import { CanaryJudge } from './canary.ts'
import type { SweepContext } from './context.ts'
import { rescue } from './rescue.ts'
import { sweepTasks } from './tasks.ts'

/** Rows of one kind per pass: the next pass takes the rest. */
const ROWS = 1000
const LEASE_MS = 5000
const ORPHANS_EVERY_MS = 60_000
const PURGE_EVERY_MS = 3_600_000

/**
 * Puts right what crashes and lost jobs leave behind (docs/reliability.md §3.5). One over all processes, by a lease;
 * every step may be repeated and is small.
 */
export class Sweeper {
  readonly #ctx: SweepContext
  readonly #canaries: CanaryJudge
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #orphansAt = 0
  #purgeAt = performance.now() + PURGE_EVERY_MS

  constructor(ctx: SweepContext) {
    this.#ctx = ctx
    this.#canaries = new CanaryJudge(ctx)
  }

  start(): void {
    this.#arm(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#running
    await this.#ctx.store.lease('sweeper', this.#ctx.holder, 0).catch(() => undefined)
  }

  #arm(afterMs: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => {
      this.#running = this.#pass().finally(() => this.#arm(this.#ctx.config.sweepMs))
    }, afterMs)
  }

  async #pass(): Promise<void> {
    const { store, holder } = this.#ctx
    if (!(await this.#quietly('lease', () => store.lease('sweeper', holder, LEASE_MS)))) return
    await this.#quietly('bury', () => this.#bury())
    await this.#quietly('expire', () => store.chunks.expire(ROWS))
    await this.#quietly('abandon', () => store.chunks.abandonSync(ROWS))
    await this.#quietly('rescue', () => rescue(this.#ctx, ROWS))
    await this.#quietly('tasks', () => sweepTasks(this.#ctx, this.#canaries, ROWS))
    if (!this.#ctx.memory.isHigh) this.#ctx.window.topUp()
    await this.#quietly('clean', () => this.#clean())
  }

  async #quietly<T>(step: string, run: () => Promise<T>): Promise<T | undefined> {
    if (this.#stopped) return undefined
    try {
      return await run()
    } catch (error) {
      this.#ctx.log.warn({ step, error: String(error) }, 'a step of the sweeper failed, the next pass repeats it')
      return undefined
    }
  }

  /** Before anything is enqueued again: a chunk that began five times without an end is not begun a sixth time. */
  async #bury(): Promise<void> {
    const buried = await this.#ctx.store.chunks.bury(MAX_STARTS - 1, ROWS)
    if (buried > 0) this.#ctx.log.error({ alert: 'poison', chunks: buried }, 'chunks are poison and were given up')
  }

  async #clean(): Promise<void> {
    const now = performance.now()
    if (now > this.#orphansAt) {
      this.#orphansAt = now + ORPHANS_EVERY_MS
      await this.#ctx.store.chunks.removeOrphans(ROWS)
    }
    if (now <= this.#purgeAt) return
    const purged = await this.#ctx.store.purge(ROWS)
    // More of it is left: the next pass goes on.
    this.#purgeAt = purged > 0 ? now : now + PURGE_EVERY_MS
  }
}
