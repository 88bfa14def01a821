const FRESH_MS = 5000

/**
 * The server's clock, read without a round trip per question: its time is asked at most every 5 s and carried on by
 * this process's monotonic clock, so that no change of the local time of day is felt. Off by half a round trip at most.
 */
export class Clock {
  #serverMs = 0
  #readAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined
  readonly #ask: () => Promise<Date>

  constructor(ask: () => Promise<Date>) {
    this.#ask = ask
  }

  async now(): Promise<Date> {
    if (performance.now() - this.#readAt > FRESH_MS) await this.exact()
    return new Date(this.#serverMs + performance.now() - this.#readAt)
  }

  /** The same, asked just now. */
  async exact(): Promise<Date> {
    this.#reading ??= this.#read()
    try {
      await this.#reading
    } finally {
      this.#reading = undefined
    }
    return new Date(this.#serverMs + performance.now() - this.#readAt)
  }

  async #read(): Promise<void> {
    const before = performance.now()
    const time = await this.#ask()
    const after = performance.now()
    this.#serverMs = time.getTime()
    this.#readAt = (before + after) / 2
  }
}

export const later = (from: Date, ms: number): Date => new Date(from.getTime() + ms)
