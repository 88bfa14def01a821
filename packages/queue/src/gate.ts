type Waiter = { key: string; admit: (granted: boolean) => void; timer: NodeJS.Timeout }

export type GateOptions = {
  /** Holders at once. */
  size: number
  /** Who may wait at once; the others are sent away. */
  waiters: number
  /** How long one may wait for its turn. */
  waitMs: number
}

/**
 * Bounds the chunks of tasks in progress over one platform and process, so that single pushes always find free slots.
 * The next turn goes to the waiter whose channel holds fewest: one app's broadcast leaves room for another's.
 */
export class Gate {
  #free: number
  readonly #held = new Map<string, number>()
  readonly #waiters: Waiter[] = []
  readonly #options: GateOptions

  constructor(options: GateOptions) {
    this.#options = options
    this.#free = options.size
  }

  /** True where the caller holds a slot now and must `leave`; false where it should come back later. */
  enter(key: string): Promise<boolean> | boolean {
    if (this.#free > 0) {
      this.#take(key)
      return true
    }
    if (this.#waiters.length >= this.#options.waiters) return false
    return new Promise((admit) => {
      const waiter: Waiter = { key, admit, timer: setTimeout(() => this.#giveUp(waiter), this.#options.waitMs) }
      this.#waiters.push(waiter)
    })
  }

  leave(key: string): void {
    this.#free++
    const held = (this.#held.get(key) ?? 1) - 1
    if (held > 0) this.#held.set(key, held)
    else this.#held.delete(key)
    const next = this.#poorest()
    if (next === undefined) return
    clearTimeout(next.timer)
    this.#take(next.key)
    next.admit(true)
  }

  /** Sends all waiters away. */
  close(): void {
    for (const waiter of [...this.#waiters]) this.#giveUp(waiter)
  }

  #take(key: string): void {
    this.#free--
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1)
  }

  #poorest(): Waiter | undefined {
    let best = -1
    let least = Number.POSITIVE_INFINITY
    for (const [index, waiter] of this.#waiters.entries()) {
      const held = this.#held.get(waiter.key) ?? 0
      if (held < least) [best, least] = [index, held]
    }
    return best < 0 ? undefined : this.#waiters.splice(best, 1)[0]
  }

  #giveUp(waiter: Waiter): void {
    const index = this.#waiters.indexOf(waiter)
    if (index < 0) return
    this.#waiters.splice(index, 1)
    clearTimeout(waiter.timer)
    waiter.admit(false)
  }
}
