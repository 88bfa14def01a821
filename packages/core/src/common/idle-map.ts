const MOST = 10_000

/**
 * What a process remembers of each channel, without end only in what is in use: beyond `most` entries all that are idle
 * go. The next look is due when a tenth more came, so that many entries in use cost no look for each new one.
 */
export class IdleMap<V> {
  readonly #entries = new Map<string, V>()
  readonly #isIdle: (value: V) => boolean
  readonly #most: number
  #lookAt: number

  constructor(isIdle: (value: V) => boolean, most: number = MOST) {
    this.#isIdle = isIdle
    this.#most = most
    this.#lookAt = most
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: V): void {
    this.#entries.set(key, value)
    if (this.#entries.size > this.#lookAt) this.#dropIdle(key)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  values(): Iterable<V> {
    return this.#entries.values()
  }

  /** Never the one just set: its holder is about to use it. */
  #dropIdle(fresh: string): void {
    for (const [key, value] of this.#entries) if (key !== fresh && this.#isIdle(value)) this.#entries.delete(key)
    this.#lookAt = Math.max(this.#most, Math.ceil(this.#entries.size * 1.1))
  }
}
