import { IdleMap } from '../common/idle-map.ts'

/** A job put off is not put off for longer than this, so that a change is noticed. */
const LONGEST_MS = 60_000
/** Those of a channel come back one by one. */
const SPACING_MS = 2
/** Of a channel that refused its credentials, or cannot be opened now. */
export const REFUSED_AFTER_MS = 2000

/**
 * Spreads the jobs of one channel that have to wait: each gets its own instant, so that ten thousand jobs of a paused
 * or limited channel do not come round together again and again.
 */
export class Parking {
  readonly #next = new IdleMap<number>((at) => at < performance.now())

  /** How long this job waits: at least `afterMs`, and `spacingMs` behind the one parked before it. */
  slot(channelId: string, afterMs: number, spacingMs: number = SPACING_MS): number {
    const now = performance.now()
    const at = Math.max(now + afterMs, (this.#next.get(channelId) ?? 0) + spacingMs)
    const within = Math.min(at, now + Math.max(afterMs, LONGEST_MS))
    this.#next.set(channelId, within)
    return Math.ceil(within - now)
  }

  /** The channel runs again: whoever is parked from now on does not queue behind the past. */
  clear(channelId: string): void {
    this.#next.delete(channelId)
  }
}

/** A chunk that does not come back within this went to another process or ended. */
const KEPT_MS = 10_000

/** Of each channel that is paused until a try succeeds, the chunk that this process tries with. */
export class Tries {
  readonly #kept = new IdleMap<{ chunk: string; until: number }>(({ until }) => until < performance.now())

  /** Whether this chunk is the one, or becomes it because there is none. */
  keep(channelId: string, chunk: string): boolean {
    const now = performance.now()
    const known = this.#kept.get(channelId)
    if (known && known.chunk !== chunk && known.until > now) return false
    this.#kept.set(channelId, { chunk, until: now + KEPT_MS })
    return true
  }
}
