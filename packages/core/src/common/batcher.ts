import { StoreDownError } from './errors.ts'

export type BatcherOptions = {
  /** Items of one run at most. */
  maxItems: number
  /** Runs under way at once; while all are busy the next batch grows. */
  inFlight?: number
  /**
   * Items of different tenants, and `run` may be repeated without harm: where it rejects with another error than
   * StoreDownError, the list is parted until only the guilty item is rejected.
   */
  apart?: boolean
  /** One run begins so long after the one before at the earliest, so that more share it; the first after a pause at once. */
  gapMs?: number
}

type Entry<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }

/**
 * Joins the calls of one event-loop tick into one call of `run`, which answers one result per item in order.
 * Concurrent requests so share one write and one round trip (docs/limits.md §2). When `run` rejects, all its items do,
 * unless they are kept `apart`.
 */
export class Batcher<T, R> {
  #waiting: Entry<T, R>[] = []
  #running = 0
  #armed = false
  #beganAt = Number.NEGATIVE_INFINITY
  readonly #run: (items: T[]) => Promise<readonly R[]>
  readonly #options: BatcherOptions

  constructor(run: (items: T[]) => Promise<readonly R[]>, options: BatcherOptions) {
    this.#run = run
    this.#options = options
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#running === 0
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#arm()
    })
  }

  #arm(): void {
    if (this.#armed || this.#waiting.length === 0 || this.#running >= (this.#options.inFlight ?? 1)) return
    this.#armed = true
    const flush = () => {
      this.#armed = false
      void this.#flush()
    }
    const { gapMs = 0, maxItems } = this.#options
    // One that fills up while it waits is not hurried: `add` would have to look at the clock for each item.
    const waitMs = this.#waiting.length < maxItems ? this.#beganAt + gapMs - performance.now() : 0
    if (waitMs < 1) setImmediate(flush)
    else setTimeout(flush, waitMs)
  }

  async #flush(): Promise<void> {
    const entries = this.#waiting.splice(0, this.#options.maxItems)
    if (entries.length === 0) return
    this.#running++
    this.#beganAt = performance.now()
    this.#arm()
    try {
      await this.#settle(entries)
    } finally {
      this.#running--
      this.#arm()
    }
  }

  async #settle(entries: readonly Entry<T, R>[]): Promise<void> {
    try {
      const results = await this.#run(entries.map((entry) => entry.item))
      for (const [index, entry] of entries.entries()) entry.resolve(results[index] as R)
    } catch (error) {
      if (this.#options.apart && entries.length > 1 && !(error instanceof StoreDownError)) return this.#part(entries)
      for (const entry of entries) entry.reject(error)
    }
  }

  async #part(entries: readonly Entry<T, R>[]): Promise<void> {
    const half = Math.ceil(entries.length / 2)
    await this.#settle(entries.slice(0, half))
    await this.#settle(entries.slice(half))
  }
}
