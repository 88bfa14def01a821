import type { Store } from './store.ts'

const REFRESH_MS = 10_000

/** The store's clock, read every ten seconds: a worker's own clock may be an hour off (reliability.md T76). */
export class StoreClock {
  #offsetMs = 0
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  readonly #store: Pick<Store, 'now'>

  constructor(store: Pick<Store, 'now'>) {
    this.#store = store
  }

  /** Milliseconds since 1970 by the store's clock. */
  now(): number {
    if (performance.now() - this.#readAt > REFRESH_MS) void this.read().catch(() => undefined)
    return Date.now() + this.#offsetMs
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
    const before = Date.now()
    const theirs = await this.#store.now()
    const after = Date.now()
    this.#offsetMs = theirs.getTime() - (before + after) / 2
    this.#readAt = performance.now()
  }
}
