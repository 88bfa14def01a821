/** Members from which sending to them is worth a turn of its own, and from which reading their answers is. */
export const SOME = 20
export const MANY = 200

/** `going`: work on a chunk that is claimed, before what begins another or plans more, so that few are open at once. */
export type Rank = 'going' | 'new'

/** So many turns of one rank while the other waits, then one of the other: an app's endless work keeps nobody's from beginning. */
const RUN = 8

/**
 * Gives each turn of the event loop to one piece of work with many members: a page of a plan, the claim of a chunk, its
 * tokens, its request, its answer. Several in one turn would hold up every single push of the process: a push passes some
 * ten turns on its way, and a thousand members cost milliseconds in each. Apps take turns, whatever one has waiting.
 */
export class Turns {
  readonly #waiting: Readonly<Record<Rank, Line>> = { going: new Line(), new: new Line() }
  #armed = false
  #goings = 0

  /** Resolves in a turn that nobody else gets, apps one after the other, in the order asked among those of one app. */
  next(rank: Rank, appId = ''): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting[rank].add(appId, resolve)
      this.#arm()
    })
  }

  #arm(): void {
    const { going, new: beginning } = this.#waiting
    if (this.#armed || (going.isEmpty && beginning.isEmpty)) return
    this.#armed = true
    setImmediate(() => {
      this.#armed = false
      this.#take()?.()
      this.#arm()
    })
  }

  #take(): (() => void) | undefined {
    const { going, new: beginning } = this.#waiting
    const isTurnOfNew = going.isEmpty || (this.#goings >= RUN && !beginning.isEmpty)
    this.#goings = isTurnOfNew ? 0 : this.#goings + 1
    return isTurnOfNew ? beginning.take() : going.take()
  }
}

/** Who waits, by app; a map keeps the order in which apps came. */
class Line {
  readonly #byApp = new Map<string, (() => void)[]>()

  get isEmpty(): boolean {
    return this.#byApp.size === 0
  }

  add(appId: string, resolve: () => void): void {
    const own = this.#byApp.get(appId)
    if (own) own.push(resolve)
    else this.#byApp.set(appId, [resolve])
  }

  /** The next of the app that is first, which then stands behind the others. */
  take(): (() => void) | undefined {
    for (const [appId, own] of this.#byApp) {
      const resolve = own.shift()
      this.#byApp.delete(appId)
      if (own.length > 0) this.#byApp.set(appId, own)
      return resolve
    }
    return undefined
  }
}
