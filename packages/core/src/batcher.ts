export type BatcherOptions = {
  /** Items of one run at most. */
  maxItems: number
  /** Runs under way at once; while all are busy the next batch grows. */
  inFlight?: number
}

type Entry<T, R> = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }

/**
 * Joins the calls of one event-loop tick into one call of `run`, which answers one result per item in order.
 * Concurrent requests so share one write and one round trip (limits.md §2). When `run` rejects, all its items do.
 */
export class Batcher<T, R> {
  #waiting: Entry<T, R>[] = []
  #running = 0
  #armed = false
  readonly #run: (items: T[]) => Promise<readonly R[]>
  readonly #options: BatcherOptions

  constructor(run: (items: T[]) => Promise<readonly R[]>, options: BatcherOptions) {
    this.#run = run
    this.#options = options
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
    setImmediate(() => {
      this.#armed = false
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const entries = this.#waiting.splice(0, this.#options.maxItems)
    if (entries.length === 0) return
    this.#running++
    this.#arm()
    try {
      const results = await this.#run(entries.map((entry) => entry.item))
      for (const [index, entry] of entries.entries()) entry.resolve(results[index] as R)
    } catch (error) {
      for (const entry of entries) entry.reject(error)
    } finally {
      this.#running--
      this.#arm()
    }
  }
}
