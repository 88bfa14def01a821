const BLOCK = 1000

/**
 * Ids of this process, taken from the store in blocks of 1,000 (one atomic add): rising, unique over all processes,
 * without a clock, and below 2^53 so that any client's JSON.parse keeps them whole (docs/design.md §11).
 */
export class Ids {
  #next = 0
  #end = 0
  #refill: Promise<void> | undefined
  readonly #take: (count: number) => Promise<number>

  constructor(take: (count: number) => Promise<number>) {
    this.#take = take
  }

  async next(): Promise<string> {
    while (this.#next >= this.#end) await this.#fill()
    return String(this.#next++)
  }

  async many(count: number): Promise<string[]> {
    const ids: string[] = []
    while (ids.length < count) ids.push(await this.next())
    return ids
  }

  async #fill(): Promise<void> {
    this.#refill ??= this.#take(BLOCK).then((first) => {
      this.#next = first
      this.#end = first + BLOCK
    })
    try {
      await this.#refill
    } finally {
      this.#refill = undefined
    }
  }
}

/** An id as it may stand in a path: digits, no leading zero, at most 2^53 − 1. Never rounded. */
export const isId = (text: string): boolean => /^[1-9]\d{0,15}$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER
