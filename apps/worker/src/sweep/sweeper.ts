import { MAX_STARTS, type Rescue } from '@fanfare/core'
import type { WorkerContext } from '../context.ts'
import { sweepTasks } from './tasks.ts'

/** Rows of one kind per pass: the next pass takes the rest. */
const ROWS = 1000
const LEASE_MS = 5000
/** A chunk whose job stands, or that was enqueued again, is not looked at for so long. */
const QUIET_MS = 10_000
const ORPHANS_EVERY_MS = 60_000
const PURGE_EVERY_MS = 3_600_000

/**
 * Puts right what crashes and lost jobs leave behind (docs/reliability.md §3.5). One over all processes, by a lease;
 * every step may be repeated and is small.
 */
export class Sweeper {
  readonly #ctx: WorkerContext
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()
  #stopped = false
  #orphansAt = 0
  #purgeAt = performance.now() + PURGE_EVERY_MS

  constructor(ctx: WorkerContext) {
    this.#ctx = ctx
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
    await this.#quietly('rescue', () => this.#rescue())
    await this.#quietly('tasks', () => sweepTasks(this.#ctx, ROWS))
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

  async #rescue(): Promise<void> {
    const { store, jobs, config, memory } = this.#ctx
    if (memory.isFull) return
    const lost = await store.chunks.lost(config.graceMs, ROWS)
    if (lost.length === 0) return
    const present = await jobs.present(lost)
    // A chunk in `sending` whose lease passed has lost its worker, although its job may still stand as active.
    const stands = (rescue: Rescue, index: number) => present[index] === true && rescue.state !== 'sending'
    const gone = lost.filter((rescue, index) => !stands(rescue, index))
    await store.chunks.stillQueued(lost.filter(stands), QUIET_MS)
    await this.#enqueueAgain(gone)
  }

  async #enqueueAgain(gone: readonly Rescue[]): Promise<void> {
    if (gone.length === 0) return
    const { store, jobs, counters, log } = this.#ctx
    const byKey = new Map(gone.map((rescue) => [`${rescue.taskId}-${rescue.seq}`, rescue]))
    const refs = await store.chunks.requeue(gone, QUIET_MS)
    const reasons: Record<string, number> = {}
    const items = refs.flatMap((ref) => {
      const rescue = byKey.get(`${ref.taskId}-${ref.seq}`)
      if (!rescue) return []
      reasons[rescue.reason] = (reasons[rescue.reason] ?? 0) + 1
      return [{ ...ref, platform: rescue.platform, channelId: rescue.channelId, lane: rescue.lane }]
    })
    await jobs.enqueue(items)
    for (const [reason, count] of Object.entries(reasons)) {
      counters.rescued[reason] = (counters.rescued[reason] ?? 0) + count
    }
    log.info({ rescued: reasons }, 'chunks enqueued again')
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
