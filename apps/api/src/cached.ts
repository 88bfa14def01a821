export type CachedOptions<V> = {
  load: (key: string) => Promise<V | undefined>
  /** How long a value is taken without asking again, and how long a missing one. */
  foundMs: number
  missingMs: number
  maxEntries: number
}
type Entry<V> = { value: V | undefined; until: number }

/** A small cache in front of the store: bounded, short-lived, one question at a time per key. */
export class Cached<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #loading = new Map<string, Promise<V | undefined>>()
  readonly #options: CachedOptions<V>

  constructor(options: CachedOptions<V>) {
    this.#options = options
  }

  /** At once where it is known, else when the store has answered. */
  get(key: string): V | undefined | Promise<V | undefined> {
    const entry = this.#entries.get(key)
    if (entry && entry.until > Date.now()) return entry.value
    return this.#loading.get(key) ?? this.#load(key)
  }

  drop(key: string): void {
    this.#entries.delete(key)
    this.#loading.delete(key)
  }

  #load(key: string): Promise<V | undefined> {
    const loading = this.#options.load(key).then(
      (value) => {
        if (this.#loading.get(key) === loading) this.#keep(key, value)
        return value
      },
      (error: unknown) => {
        if (this.#loading.get(key) === loading) this.#loading.delete(key)
        throw error
      },
    )
    this.#loading.set(key, loading)
    return loading
  }

  #keep(key: string, value: V | undefined): void {
    this.#loading.delete(key)
    this.#entries.delete(key)
    const { foundMs, missingMs, maxEntries } = this.#options
    this.#entries.set(key, { value, until: Date.now() + (value === undefined ? missingMs : foundMs) })
    if (this.#entries.size <= maxEntries) return
    const oldest = this.#entries.keys().next()
    if (!oldest.done) this.#entries.delete(oldest.value)
  }
}
