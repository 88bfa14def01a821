/** Members from which a piece of work is worth a turn of its own. */
export const MANY = 200

/** `going`: work on a chunk that is claimed, before what begins another or plans more, so that few are open at once. */
export type Rank = 'going' | 'new'

/**
 * Gives each turn of the event loop to one piece of a task's work: a page of its plan, the claim of a chunk, its tokens
 * and request, its answer. Several in one turn would hold up every single push of the process: a push passes some ten
 * turns on its way, and a thousand members cost milliseconds in each.
 */
export class Turns {
  readonly #waiting: Record<Rank, (() => void)[]> = { going: [], new: [] }
  #armed = false

  /** Resolves in a turn that nobody else gets, in the order asked among those of its rank. */
  next(rank: Rank): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting[rank].push(resolve)
      this.#arm()
    })
  }

  #arm(): void {
    const { going, new: beginning } = this.#waiting
    if (this.#armed || going.length + beginning.length === 0) return
    this.#armed = true
    setImmediate(() => {
      this.#armed = false
      const resolve = going.shift() ?? beginning.shift()
      resolve?.()
      this.#arm()
    })
  }
}
