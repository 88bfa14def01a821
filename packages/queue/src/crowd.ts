/** A queue that is longer is shared: below that everyone is soon served. */
const LONG = 20
/** What one app adds to a queue in a second, or did just before, that goes first; with every doubling it goes further back. */
const FEW = 100
const SECOND_MS = 1000
const LAST_PLACE = 9

/** A job of an app, or of a channel whose app is not known. */
export type Added = { queue: string; owner: string; cost: number }

/**
 * Puts the single pushes, and the plans, of whoever added many lately behind those of whoever added few, as long as the queue is long: a
 * queue alone serves in order, so that ten thousand of one app would go before one of another.
 */
export class Crowd {
  readonly #waiting = new Map<string, number>()
  #counts = new Map<string, number>()
  #before = new Map<string, number>()
  #since = 0

  /** How many wait in the queue now. */
  saw(queue: string, waiting: number): void {
    this.#waiting.set(queue, waiting)
  }

  /** Counts what it costs, a member of a single push being one; 0 = with the first, else the higher the further back. */
  place({ queue, owner, cost }: Added, now: number = performance.now()): number {
    this.#turn(now)
    const key = `${queue} ${owner}`
    const count = (this.#counts.get(key) ?? 0) + cost
    this.#counts.set(key, count)
    const many = Math.max(count, this.#before.get(key) ?? 0) / FEW
    if (many <= 1 || (this.#waiting.get(queue) ?? 0) < LONG) return 0
    return Math.min(LAST_PLACE, 1 + Math.floor(Math.log2(many)))
  }

  #turn(now: number): void {
    if (now - this.#since < SECOND_MS) return
    this.#before = now - this.#since < 2 * SECOND_MS ? this.#counts : new Map()
    this.#counts = new Map()
    this.#since = now
  }
}
