import { IdleMap } from '@fanfare/core'

/** Whose job it is: places are shared by apps, then by the channels of an app. */
export type Owner = { app: string; channel: string }
/** The most an app, and one of its channels, may hold while `free` of `size` places are free. */
export type ShareRule = (free: number, size: number) => { app: number; channel: number }

export type PlacesOptions = {
  /** Holders at once. */
  size: number
  /** Who may wait at once; the others are sent away. */
  waiters: number
  /** How long one may wait for its turn. Who is not likely to get it by then is sent away at once. */
  waitMs: number
  /** Whoever is sent away comes back after so long at least. */
  awayMs: number
  share?: ShareRule
}

type Waiter = { admit: (granted: boolean) => void; timer: NodeJS.Timeout }
/**
 * What is known of one channel. `fullAt`: since when somebody wants a place that it has not; `left`: when the last places
 * of it came free; `backAt`: when the last one that was sent away comes back.
 */
type Line = Owner & { held: number; waiters: Waiter[]; fullAt: number; left: number[]; backAt: number }

/** Nobody sent away stays away for longer, so that a change is noticed. */
const LONGEST_MS = 60_000
/** Until more is known. */
const FIRST_GAP_MS = 1
const LONGEST_GAP_MS = 2000
/** The gap is the mean of so many. */
const GAPS = 8
/**
 * A channel flows where so many places of it came free within this time, twenty a second. Its jobs wait, however many: each
 * that ends lets the worker look at the next job of the queue, where an app that adds so many stands behind the others.
 * For the same time a channel that has just become full gets the benefit of the doubt, as far as there is room for those
 * who wait: a wave of pushes would else be sent away and fetched again, which costs as much as to push it.
 */
const FLOW = { places: 16, withinMs: 800 }
const CHANNEL_PART = 0.75
/** Channels remembered before idle ones are forgotten. */
const MOST_LINES = 1000

/**
 * As much as is left free, so that whoever comes next finds places, however many came before: one app alone holds about
 * half of them, two hold a third each. With less than half of them free a quarter is the most, and the last eighth is for
 * those who hold none. A channel leaves some of its app's part to the others of its app.
 */
export const fairShare: ShareRule = (free, size) => {
  const open = Math.max(0, free - Math.floor(size / 8))
  const app = 2 * open >= size - Math.floor(size / 8) ? open : Math.min(open, size / 4)
  return { app, channel: app * CHANNEL_PART }
}

/**
 * Bounds the jobs in progress over one platform and process, and shares them: a channel whose vendor stalls keeps its
 * own part busy, not that of others. Who finds none of its part free waits a moment where it comes free soon.
 */
export class Places {
  #free: number
  #waiting = 0
  readonly #waitingLines = new Set<Line>()
  readonly #ofApp = new Map<string, number>()
  readonly #lines = new IdleMap<Line>(isIdle, MOST_LINES)
  readonly #options: PlacesOptions
  readonly #share: ShareRule

  constructor(options: PlacesOptions) {
    this.#options = options
    this.#free = options.size
    this.#share = options.share ?? fairShare
  }

  /** True where the caller holds a place now and must `leave`; false where it should come back after `away`. */
  enter(owner: Owner): boolean | Promise<boolean> {
    const line = this.#lineOf(owner)
    if (line.waiters.length === 0 && this.#may(line)) {
      this.#take(line)
      return true
    }
    if (Number.isNaN(line.fullAt)) line.fullAt = performance.now()
    if (!this.#mayWait(line)) return false
    return new Promise((admit) => {
      const timer = setTimeout(() => this.#waitedLong(line, waiter), this.#options.waitMs)
      const waiter: Waiter = { admit, timer }
      line.waiters.push(waiter)
      this.#waitingLines.add(line)
      this.#waiting++
    })
  }

  leave(owner: Owner): void {
    const line = this.#lineOf(owner)
    this.#free++
    line.held--
    this.#countApp(line.app, -1)
    if (line.left.push(performance.now()) > FLOW.places) line.left.shift()
    while (this.#waiting > 0 && this.#admitNext());
    if (line.waiters.length === 0 && line.backAt < performance.now()) line.fullAt = Number.NaN
  }

  /** How long one that was sent away stays away: those of one channel come back one by one, as its places come free. */
  away(owner: Owner): number {
    const line = this.#lineOf(owner)
    const now = performance.now()
    const { awayMs } = this.#options
    const at = Math.max(now + awayMs, line.backAt + gapOf(line, now))
    // No longer than the channel has been full by now: one that only stuttered is not left alone for long.
    const longestMs = Math.min(LONGEST_MS, Math.max(2 * awayMs, now - line.fullAt))
    if (at > now + longestMs) return Math.ceil(longestMs * (0.5 + Math.random() / 2))
    line.backAt = at
    return Math.ceil(at - now)
  }

  /** Sends all waiters away. */
  close(): void {
    for (const line of this.#lines.values()) for (const waiter of [...line.waiters]) this.#giveUp(line, waiter)
  }

  #lineOf({ app, channel }: Owner): Line {
    const known = this.#lines.get(channel)
    if (known) return known
    const line: Line = { app, channel, held: 0, waiters: [], fullAt: Number.NaN, left: [], backAt: 0 }
    this.#lines.set(channel, line)
    return line
  }

  /** Whoever holds nothing may always take a place that is free. */
  #may({ app, held }: Line): boolean {
    if (this.#free === 0) return false
    const most = this.#share(this.#free, this.#options.size)
    const ofApp = this.#ofApp.get(app) ?? 0
    return ofApp < Math.max(1, most.app) && held < Math.max(1, most.channel)
  }

  #mayWait(line: Line): boolean {
    const now = performance.now()
    if (flows(line, now)) return true
    const soon = hasJustFilled(line, now) || (line.waiters.length + 1) * gapOf(line, now) <= this.#options.waitMs
    return soon && this.#waiting < this.#options.waiters
  }

  #take(line: Line): void {
    this.#free--
    line.held++
    this.#countApp(line.app, 1)
  }

  #countApp(app: string, by: 1 | -1): void {
    const held = (this.#ofApp.get(app) ?? 0) + by
    if (held > 0) this.#ofApp.set(app, held)
    else this.#ofApp.delete(app)
  }

  /** The next turn goes to the app, and the channel of it, that holds fewest. */
  #admitNext(): boolean {
    let best: Line | undefined
    for (const line of this.#waitingLines) {
      if (this.#may(line) && (!best || this.#rank(line) < this.#rank(best))) best = line
    }
    const waiter = best?.waiters.shift()
    if (!best || !waiter) return false
    this.#ended(best, waiter)
    this.#take(best)
    waiter.admit(true)
    return true
  }

  #rank(line: Line): number {
    return (this.#ofApp.get(line.app) ?? 0) + line.held / 1e6
  }

  #waitedLong(line: Line, waiter: Waiter): void {
    const now = performance.now()
    if (flows(line, now) || hasJustFilled(line, now)) waiter.timer.refresh()
    else this.#giveUp(line, waiter)
  }

  #giveUp(line: Line, waiter: Waiter): void {
    const index = line.waiters.indexOf(waiter)
    if (index < 0) return
    line.waiters.splice(index, 1)
    this.#ended(line, waiter)
    waiter.admit(false)
  }

  #ended(line: Line, { timer }: Waiter): void {
    clearTimeout(timer)
    this.#waiting--
    if (line.waiters.length === 0) this.#waitingLines.delete(line)
  }
}

const flows = ({ left }: Line, now: number): boolean =>
  left.length === FLOW.places && now - (left[0] ?? 0) <= FLOW.withinMs

const hasJustFilled = ({ fullAt }: Line, now: number): boolean => now - fullAt <= FLOW.withinMs

/** How often a place of the channel comes free, by the last few and by the time since: one that stalls gets slower. */
function gapOf({ left, fullAt }: Line, now: number): number {
  const lately = left.slice(-GAPS).filter((at) => at >= fullAt)
  const since = lately.length === GAPS ? (lately[0] ?? fullAt) : fullAt
  const gapMs = (now - since) / Math.max(1, lately.length)
  return Math.min(LONGEST_GAP_MS, Math.max(FIRST_GAP_MS, gapMs))
}

const isIdle = ({ held, waiters, backAt }: Line): boolean =>
  held === 0 && waiters.length === 0 && backAt < performance.now()
