import type { Enqueue, PlatformName } from '@fanfare/core'

/** A queue that is longer is shared: below that everyone is soon served. */
const LONG = 20
/** Members of one app's single pushes in a second, or just before, that go first; with every doubling it goes further back. */
const FEW = 100
const SECOND_MS = 1000
/** Behind it come the chunks of tasks. */
const LAST_PLACE = 9

/**
 * Puts the single pushes of whoever added many lately behind those of whoever added few, as long as the queue is long: a
 * queue alone serves in order, so that ten thousand of one app would go before one of another.
 */
export class Crowd {
  readonly #waiting = new Map<PlatformName, number>()
  #counts = new Map<string, number>()
  #before = new Map<string, number>()
  #since = 0

  /** How many wait in the platform's queue now. */
  saw(platform: PlatformName, waiting: number): void {
    this.#waiting.set(platform, waiting)
  }

  /** Counts its members; 0 = with the first, else the higher the further back. */
  place({ platform, appId, channelId, members = 1 }: Enqueue, now: number = performance.now()): number {
    this.#turn(now)
    const key = `${platform} ${appId ?? channelId}`
    const count = (this.#counts.get(key) ?? 0) + members
    this.#counts.set(key, count)
    const many = Math.max(count, this.#before.get(key) ?? 0) / FEW
    if (many <= 1 || (this.#waiting.get(platform) ?? 0) < LONG) return 0
    return Math.min(LAST_PLACE, 1 + Math.floor(Math.log2(many)))
  }

  #turn(now: number): void {
    if (now - this.#since < SECOND_MS) return
    this.#before = now - this.#since < 2 * SECOND_MS ? this.#counts : new Map()
    this.#counts = new Map()
    this.#since = now
  }
}
