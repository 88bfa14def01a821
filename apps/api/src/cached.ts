export type CachedOptions<V> = {
  load: (key: string) => Promise<V | undefined>
  /** How long a value is taken without asking again, and how long a missing one. */
  foundMs: number
  missingMs: number
  maxEntries: number
}
type Entry<V> = { value: V; until: number }

/**
 * A small cache in front of the store: bounded, short-lived, one question at a time per key. What is missing is bounded
 * for itself: names that somebody made up push out no name that exists.
 */
export class Cached<V> {
  readonly #found = new Map<string, Entry<V>>()
  readonly #missing = new Map<string, Entry<undefined>>()
  readonly #loading = new Map<string, Promise<V | undefined>>()
  readonly #options: CachedOptions<V>

  constructor(options: CachedOptions<V>) {
    this.#options = options
  }

  /** At once where it is known, else when the store has answered. */
  get(key: string): V | undefined | Promise<V | undefined> {
    const entry = this.#found.get(key) ?? this.#missing.get(key)
    if (entry && entry.until > Date.now()) return entry.value
    return this.#loading.get(key) ?? this.#load(key)
  }

  drop(key: string): void {
    this.#found.delete(key)
    this.#missing.delete(key)
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
    const { foundMs, missingMs } = this.#options
    this.drop(key)
    if (value === undefined) this.#put(this.#missing, key, { value, until: Date.now() + missingMs })
    else this.#put(this.#found, key, { value, until: Date.now() + foundMs })
  }

  /** The oldest goes: what is in use is loaded, and so put here, every little while. */
  #put<E>(entries: Map<string, E>, key: string, entry: E): void {
    entries.set(key, entry)
    if (entries.size <= this.#options.maxEntries) return
    const oldest = entries.keys().next()
    if (!oldest.done) entries.delete(oldest.value)
  }
}
