import { IdleMap } from '@fanfare/core'

/** `tries`: of an account without a limit, until when the request that finds out whether it may go on has its turn. */
export type Stop = { until: number; triesUntil: number }

/** A vendor's wish that comes within this after one that was told asks for no telling of its own. */
const TOGETHER_MS = 100
const KEPT_MS = 60_000

/** Until when vendors want their accounts left alone, as far as this process has heard. */
export class Stops {
  readonly #stops = new IdleMap<Stop>(({ until }) => until + KEPT_MS < performance.now())

  of(key: string): Stop | undefined {
    return this.#stops.get(key)
  }

  /** 0 where requests may go. */
  leftMs(key: string): number {
    const stop = this.#stops.get(key)
    return stop === undefined ? 0 : Math.max(0, Math.ceil(stop.until - performance.now()))
  }

  /** False where it is covered by what was heard before: of a wave of refusals each names a slightly later instant. */
  add(key: string, ms: number): boolean {
    const until = performance.now() + ms
    if (until <= (this.#stops.get(key)?.until ?? 0)) return false
    this.#stops.set(key, { until: until + TOGETHER_MS, triesUntil: 0 })
    return true
  }

  /** The account goes on as before, unless another stop came meanwhile. */
  end(key: string, stop: Stop): void {
    if (this.#stops.get(key) === stop) this.#stops.delete(key)
  }

  carry(from: string, to: string): void {
    const leftMs = this.leftMs(from)
    if (leftMs > 0) this.add(to, leftMs)
  }
}
