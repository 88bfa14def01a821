import type { Store } from '../ports/store/store.ts'

const REFRESH_MS = 10_000

/**
 * The store's clock, read every ten seconds and carried on by the monotonic clock in between: a machine's own clock may
 * be an hour off, or be set (docs/reliability.md T76).
 */
export class StoreClock {
  #theirsMs = 0
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  readonly #store: Pick<Store, 'now'>

  constructor(store: Pick<Store, 'now'>) {
    this.#store = store
  }

  /** Milliseconds since 1970 by the store's clock. */
  now(): number {
    if (performance.now() - this.#readAt > REFRESH_MS) void this.read().catch(() => undefined)
    if (this.#readAt === Number.NEGATIVE_INFINITY) return Date.now()
    return this.#theirsMs + performance.now() - this.#readAt
  }

  in(afterMs: number): Date {
    return new Date(this.now() + afterMs)
  }

  /** Reads the store's clock now; rejects where the store does not answer. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<void> {
    const before = performance.now()
    const theirs = await this.#store.now()
    this.#theirsMs = theirs.getTime()
    this.#readAt = (before + performance.now()) / 2
  }
}
