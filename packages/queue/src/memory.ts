import type { Log } from '@fanfare/core'

/** From this share of its memory on nothing more is planned or promoted into Redis (docs/reliability.md T16). */
const HIGH = 0.7
/** From this share on no asynchronous push is accepted. */
const FULL = 0.85
const EVERY_MS = 1000

export type MemoryGuardOptions = {
  /** Share of Redis' memory in use, 0 = unknown or without a limit. */
  use: () => Promise<number>
  log: Log
}

/** How full Redis is, measured once a second, however many ask. A Redis that does not answer counts as empty. */
export class MemoryGuard {
  readonly #options: MemoryGuardOptions
  #share = 0
  #timer: NodeJS.Timeout | undefined
  #measuring = false

  constructor(options: MemoryGuardOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.measure(), EVERY_MS)
    this.#timer.unref()
    void this.measure()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get isHigh(): boolean {
    return this.#share >= HIGH
  }

  get isFull(): boolean {
    return this.#share >= FULL
  }

  /** Outside of the clock: for whoever must know now. */
  async measure(): Promise<void> {
    if (this.#measuring) return
    this.#measuring = true
    const before = this.#share
    this.#share = await this.#options.use().catch(() => 0)
    this.#measuring = false
    this.#tell(before)
  }

  #tell(before: number): void {
    const level = (share: number) => (share >= FULL ? 2 : share >= HIGH ? 1 : 0)
    if (level(before) === level(this.#share)) return
    const fields = { share: Math.round(this.#share * 100) / 100 }
    if (this.isFull) this.#options.log.error({ alert: 'redis-memory', ...fields }, 'Redis is full: pushes are refused')
    else if (this.isHigh) {
      this.#options.log.error({ alert: 'redis-memory', ...fields }, 'Redis is nearly full: nothing more is planned')
    } else this.#options.log.info(fields, 'Redis has room again')
  }
}
