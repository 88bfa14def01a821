/** Members from which sending to them is worth a turn of its own, and from which reading their answers is. */
export const SOME = 20
export const MANY = 200

/** `going`: work on a chunk that is claimed, before what begins another or plans more, so that few are open at once. */
export type Rank = 'going' | 'new'

/** So many turns of one rank while the other waits, then one of the other: an app's endless work keeps its next from beginning. */
const RUN = 8

/**
 * Gives each turn of the event loop to one piece of work with many members: a page of a plan, the claim of a chunk, its
 * tokens, its request, its answer. Several in one turn would hold up every single push of the process: a push passes some
 * ten turns on its way, and a thousand members cost milliseconds in each. Apps take turns, whatever one has waiting and
 * however far it is.
 */
export class Turns {
  /** A map keeps the order in which apps came. */
  readonly #byApp = new Map<string, Line>()
  #armed = false

  /** Resolves in a turn that nobody else gets, apps one after the other, in the order asked among those of one rank. */
  next(rank: Rank, appId: string): Promise<void> {
    return new Promise((resolve) => {
      const line = this.#byApp.get(appId) ?? { going: [], new: [], goings: 0 }
      line[rank].push(resolve)
      this.#byApp.set(appId, line)
      this.#arm()
    })
  }

  #arm(): void {
    if (this.#armed || this.#byApp.size === 0) return
    this.#armed = true
    setImmediate(() => {
      this.#armed = false
      this.#take()?.()
      this.#arm()
    })
  }

  /** The next of the app that is first, which then stands behind the others. */
  #take(): (() => void) | undefined {
    for (const [appId, line] of this.#byApp) {
      const resolve = taken(line)
      this.#byApp.delete(appId)
      if (line.going.length + line.new.length > 0) this.#byApp.set(appId, line)
      return resolve
    }
    return undefined
  }
}

/** What one app has waiting; `goings`: turns of `going` since the last of `new`. */
type Line = Record<Rank, (() => void)[]> & { goings: number }

function taken(line: Line): (() => void) | undefined {
  const isTurnOfNew = line.going.length === 0 || (line.goings >= RUN && line.new.length > 0)
  line.goings = isTurnOfNew ? 0 : line.goings + 1
  return (isTurnOfNew ? line.new : line.going).shift()
}
