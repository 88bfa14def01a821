import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel } from '../nouns/channel.ts'
import { CHUNK_SIZE } from '../nouns/defaults.ts'
import type { Lane } from '../nouns/task.ts'
import type { Limiter, Permit, PermitAsk } from '../ports/limiter.ts'
import type { Pusher } from '../ports/pusher.ts'
import type { Breaker } from './breaker.ts'

/** Leave to send to `members`. Exactly one of `answered` and `unused` is called, once. */
export type Leave = {
  members: number
  /** As `Batch.restMs`. */
  restMs(): number
  /** Gives back what is more than so many members need. */
  keep(members: number): void
  answered(): void
  unused(): void
}
/** `limited`: by the account's limit. `soon`: a chunk may be claimed meanwhile and ask again as one that has begun. */
export type Denied = { afterMs: number; limited?: boolean; soon?: boolean }
export type Wish = { members: number; lane: Lane; begun?: boolean }

/** Members handed to a vendor of single requests at once, with one permit: small, so that one slow answer holds few. */
export const PIECE = 25
/** How long a chunk or a push in a worker's hands may wait for its permit; beyond it its job is put off. */
const WAIT_MS: Readonly<Record<Lane, number>> = { bulk: 300, single: 60, sync: 0 }
/** How many of one channel may wait so: the others leave the worker to other channels. */
const WAITERS: Readonly<Record<Lane, number>> = { bulk: 2, single: 16, sync: 0 }
const MOST_WAITS = 10
const MOST_TAKEN_MS = 1000
/** A channel that has not proved itself lets few requests start; the others look again when one is answered. */
const COLD_WAIT_MS = 250
const COLD_AFTER_MS = 100
const NO_LIMITER_AFTER_MS = 500
/** A permit for as many as the account allows in this time is worth a request of its own. */
const LEAST_MS = 20
const LONG_WINDOW_MS = 10_000

/** Asks whoever has a say before anything goes to a vendor: the channel's breaker, then the account's limiter. */
export class Admission {
  readonly #breaker: Breaker
  readonly #limiter: Limiter
  readonly #waiting = new Map<string, number>()

  constructor(breaker: Breaker, limiter: Limiter) {
    this.#breaker = breaker
    this.#limiter = limiter
  }

  async ask(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Denied> {
    const begins = wish.lane === 'bulk' && !wish.begun
    // A chunk that has not begun does not even ask while others of this process wait: what comes free is theirs.
    if (begins && channel.limits.rate > 0 && !this.#mayWait(channel)) return { afterMs: takenMs(channel, pusher) }
    for (let waits = 0; ; waits++) {
      const got = await this.#once(channel, pusher, wish)
      if (!('afterMs' in got) || waits === MOST_WAITS || got.afterMs > WAIT_MS[wish.lane]) return got
      // Claimed while it waits: a permit must not be held for the time a claim takes.
      if (got.limited && begins) return { ...got, soon: true }
      if (!(await this.#sleep(channel, wish.lane, got.afterMs))) return got
    }
  }

  async #once(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Denied> {
    const members = Math.min(wish.members, mostMembers(pusher))
    const wanted = Math.ceil(members / pusher.batchSize)
    let requests = this.#breaker.enter(channel.id, wanted)
    if (requests === 0) {
      // Chunks are few in a worker anyway; of pushes a thousand may ask while the first of them get no answer.
      const most = wish.lane === 'single' ? WAITERS.single : Number.POSITIVE_INFINITY
      await this.#wait(`${channel.id}:cold`, most, () => this.#breaker.changed(channel.id, COLD_WAIT_MS))
      requests = this.#breaker.enter(channel.id, wanted)
    }
    if (requests === 0) return { afterMs: COLD_AFTER_MS }
    const ask = askFor(channel, Math.min(members, requests * pusher.batchSize), pusher.batchSize)
    const permit = await this.#take(channel, { ...ask, lane: wish.lane, begun: wish.begun === true })
    if ('afterMs' in permit) this.#breaker.left(channel.id, requests)
    if ('afterMs' in permit) return { afterMs: permit.afterMs, limited: true }
    return this.#leave(channel, pusher, { permit, requests, members })
  }

  /**
   * Leave for a further request to members whose first one was answered. The breaker is not asked: it let the first one
   * start, and this one takes its place.
   */
  async again(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Denied> {
    const ask = { ...askFor(channel, wish.members, pusher.batchSize), lane: wish.lane, begun: true }
    for (let waits = 0; ; waits++) {
      const permit = await this.#take(channel, ask)
      if (!('afterMs' in permit)) return this.#leave(channel, pusher, { permit, requests: 0, members: wish.members })
      if (waits === MOST_WAITS || permit.afterMs > WAIT_MS[wish.lane]) return permit
      if (!(await this.#sleep(channel, wish.lane, permit.afterMs))) return permit
    }
  }

  #mayWait(channel: Channel): boolean {
    return (this.#waiting.get(`${channel.id}:bulk`) ?? 0) < WAITERS.bulk
  }

  /** A limit is not exceeded for want of a limiter: what cannot be asked is denied. */
  async #take(channel: Channel, ask: PermitAsk): Promise<Permit | { afterMs: number }> {
    try {
      return await this.#limiter.take(channel, ask)
    } catch {
      return { afterMs: NO_LIMITER_AFTER_MS }
    }
  }

  #leave(channel: Channel, pusher: Pusher, given: { permit: Permit; requests: number; members: number }): Leave {
    const { permit, requests, members } = given
    const byPermit = channel.limits.unit === 'token' ? permit.units : permit.units * pusher.batchSize
    const byBreaker = requests === 0 ? members : requests * pusher.batchSize
    return {
      members: Math.min(members, byPermit, byBreaker),
      restMs: () => permit.restMs?.() ?? 0,
      keep: (members) => permit.keep?.(unitsOf(channel, members, pusher.batchSize)),
      answered: () => {
        this.#breaker.left(channel.id, requests)
        permit.answered()
      },
      unused: () => {
        this.#breaker.left(channel.id, requests)
        permit.unused()
      },
    }
  }

  #sleep(channel: Channel, lane: Lane, afterMs: number): Promise<boolean> {
    return this.#wait(`${channel.id}:${lane}`, WAITERS[lane], () => sleep(Math.max(1, afterMs)))
  }

  async #wait(key: string, most: number, wait: () => Promise<unknown>): Promise<boolean> {
    const waiting = this.#waiting.get(key) ?? 0
    if (waiting >= most) return false
    this.#waiting.set(key, waiting + 1)
    await wait()
    const left = (this.#waiting.get(key) ?? 1) - 1
    if (left > 0) this.#waiting.set(key, left)
    else this.#waiting.delete(key)
    return true
  }
}

/** Members one leave covers at most: one request of a batch vendor, or a piece of single requests. */
export const mostMembers = (pusher: Pusher): number => (pusher.batchSize > 1 ? pusher.batchSize : PIECE)

/** How many of a channel's units so many members cost. */
export const unitsOf = (channel: Channel, members: number, batchSize: number): number =>
  channel.limits.unit === 'token' ? members : Math.ceil(members / batchSize)

/** How long the chunks that wait will use the whole account, at least. */
function takenMs(channel: Channel, pusher: Pusher): number {
  const { rate, perMs } = channel.limits
  const chunkMs = (unitsOf(channel, CHUNK_SIZE, pusher.batchSize) * perMs) / rate
  return Math.min(MOST_TAKEN_MS, WAITERS.bulk * chunkMs) * (1 + Math.random() / 5)
}

function askFor(channel: Channel, members: number, batchSize: number): { units: number; least: number } {
  const units = unitsOf(channel, members, batchSize)
  const { rate, perMs } = channel.limits
  if (rate === 0) return { units, least: units }
  // Single requests as soon as a few are free. Whole batches in a long window (WeCom recognises the same batch again);
  // in a short one only a part, else a few single pushes between them would leave the last batch of a window unsent.
  const worth = batchSize === 1 ? (rate / perMs) * LEAST_MS : perMs >= LONG_WINDOW_MS ? rate / 4 : rate / 60
  const least = Math.max(1, Math.min(units, Math.floor(worth)))
  // No more of single requests either: a permit is held until the last of them is answered.
  return { units: batchSize === 1 ? least : units, least }
}
