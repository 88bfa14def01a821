import { APP_DEFAULTS, type App, PushError, type Store } from '@fanfare/core'

/** A push is refused for so long at least; by then the count is read anew. */
const RETRY_AFTER_SECONDS = 5
const FRESH_MS = 1000
/** An app that added fewer since it was counted is not counted again, unless it was near its limit. */
const FEW = 500

/** `counted` when it was read last, and how many came through this process since. */
type Known = { counted: number; added: number; readAt: number }
type Counting = { chunks: Pick<Store['chunks'], 'openSingles'> }

/**
 * Bounds the single pushes of an app that are accepted and not sent yet (429 beyond it). Costs a number in memory; the
 * store is asked once a second, beside the pushes, and only about apps that push much. So an app may go over its limit
 * by what other processes accept for it within a second.
 */
export class Backlogs {
  readonly #known = new Map<string, Known>()
  readonly #store: Counting

  constructor(store: Counting) {
    this.#store = store
  }

  /** Counts one push in; throws REACH_LIMIT where the app has as many as it may. */
  add(app: App): void {
    const most = app.settings.maxBacklog ?? APP_DEFAULTS.maxBacklog
    const known = this.#of(app.id)
    const few = Math.min(FEW, most / 2)
    if (known.added >= few || known.counted >= most - few) this.#read(app.id, known, most)
    if (known.counted + known.added >= most) {
      throw new PushError('REACH_LIMIT', {}, { retryAfterSeconds: RETRY_AFTER_SECONDS })
    }
    known.added++
  }

  #of(appId: string): Known {
    const known = this.#known.get(appId) ?? { counted: 0, added: 0, readAt: Number.NEGATIVE_INFINITY }
    this.#known.set(appId, known)
    return known
  }

  /** A store that does not answer leaves what is known: nobody is let in for want of an answer. */
  #read(appId: string, known: Known, most: number): void {
    const now = performance.now()
    if (now - known.readAt < FRESH_MS) return
    known.readAt = now
    const before = known.added
    this.#store.chunks.openSingles(appId, most).then(
      (counted) => {
        known.counted = counted
        known.added -= before
      },
      () => undefined,
    )
  }
}
