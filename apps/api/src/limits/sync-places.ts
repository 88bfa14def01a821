import { PushError, type SyncPlace, type SyncPlaces } from '@fanfare/core'

const PLACES = 0.6
const LINE = 0.2
const RETRY_AFTER_SECONDS = 1

type Holder = { appId: string; channelId: string }

/**
 * The places of synchronous pushes in this process: so many may be at a vendor at once, and a part of that many may wait for
 * the permit of a limited account. Both are shared by apps and by their channels, so that a slow vendor or a flood costs
 * the others nothing.
 */
export class SharedSyncPlaces implements SyncPlaces {
  readonly #sending: Share
  readonly #waiting: Share

  /** `requests`: all that may be under way in this process. */
  constructor(requests: number) {
    this.#sending = new Share(Math.ceil(requests * PLACES))
    this.#waiting = new Share(Math.ceil(requests * LINE))
  }

  enter(appId: string, channelIds: readonly string[]): SyncPlace[] {
    const places: SyncPlace[] = []
    for (const channelId of channelIds) {
      const holder = { appId, channelId }
      if (!this.#sending.take(holder)) {
        for (const place of places) place.leave()
        throw new PushError(
          this.#sending.full ? 'OVERLOADED' : 'REACH_LIMIT',
          {},
          { retryAfterSeconds: RETRY_AFTER_SECONDS },
        )
      }
      places.push(new HeldPlace(holder, this.#sending, this.#waiting))
    }
    return places
  }
}

class HeldPlace implements SyncPlace {
  readonly #holder: Holder
  readonly #sending: Share
  readonly #waiting: Share
  #in: Share | undefined

  constructor(holder: Holder, sending: Share, waiting: Share) {
    this.#holder = holder
    this.#sending = sending
    this.#waiting = waiting
    this.#in = sending
  }

  rest(): void {
    if (this.#in === this.#sending) this.#move(this.#waiting)
  }

  resume(): boolean {
    if (this.#in === this.#waiting) this.#move(this.#sending)
    return this.#in === this.#sending
  }

  leave(): void {
    this.#in?.give(this.#holder)
    this.#in = undefined
  }

  #move(to: Share): void {
    if (!to.take(this.#holder)) return
    this.#in?.give(this.#holder)
    this.#in = to
  }
}

/**
 * Whoever takes a place leaves more free than its app and its channel hold together: alone a channel gets a third and an
 * app half of all, and whoever comes next finds some. Nobody takes more than a quarter while another holds one.
 */
class Share {
  readonly #quarter: number
  readonly #apps = new Map<string, number>()
  readonly #channels = new Map<string, number>()
  readonly #size: number
  #taken = 0

  constructor(size: number) {
    this.#size = size
    this.#quarter = size / 4
  }

  get full(): boolean {
    return this.#taken >= this.#size
  }

  take({ appId, channelId }: Holder): boolean {
    const ofApp = this.#apps.get(appId) ?? 0
    const ofChannel = this.#channels.get(channelId) ?? 0
    const mayHoldMore = this.#mayHoldMore(ofApp) && this.#mayHoldMore(ofChannel)
    if (!mayHoldMore || ofApp + ofChannel >= this.#size - this.#taken) return false
    this.#apps.set(appId, ofApp + 1)
    this.#channels.set(channelId, ofChannel + 1)
    this.#taken++
    return true
  }

  give({ appId, channelId }: Holder): void {
    lower(this.#apps, appId)
    lower(this.#channels, channelId)
    this.#taken--
  }

  #mayHoldMore(held: number): boolean {
    return held < this.#quarter || held === this.#taken
  }
}

function lower(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}
