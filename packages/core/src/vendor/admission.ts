import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel } from '../nouns/channel.ts'
import { CHUNK_SIZE } from '../nouns/defaults.ts'
import type { Lane } from '../nouns/task.ts'
import { isLater, type Later } from '../ports/later.ts'
import type { Limiter, Permit, PermitAsk } from '../ports/limiter.ts'
import type { Pusher } from '../ports/pusher.ts'
import type { Breaker } from './breaker.ts'
import { askFor, membersOf, mostMembers, unitsOf } from './units.ts'

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
/** Who asks for how many members. `onWait` is called before a wait that others may use. */
export type Wish = { members: number; lane: Lane; begun?: boolean; onWait?: () => void }
/** Leave soon: a chunk may be claimed meanwhile and ask again as one that has begun. */
export const WHEN_BEGUN = 'when begun'

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
const FREE: Permit = { units: Number.MAX_SAFE_INTEGER, answered: () => undefined, unused: () => undefined }

/** Asks whoever has a say before anything goes to a vendor: the channel's breaker, then the account's limiter. */
export class Admission {
  readonly #breaker: Breaker
  readonly #limiter: Limiter | undefined
  readonly #waiting = new Map<string, number>()

  /** Without a limiter no limit is kept. */
  constructor(breaker: Breaker, limiter?: Limiter) {
    this.#breaker = breaker
    this.#limiter = limiter
  }

  ask(channel: Channel, pusher: Pusher, wish: Wish & { begun: true }): Promise<Leave | Later>
  ask(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Later | typeof WHEN_BEGUN>
  async ask(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Later | typeof WHEN_BEGUN> {
    const begins = wish.lane === 'bulk' && !wish.begun
    // A chunk that has not begun does not even ask while others of this process wait: what comes free is theirs.
    if (begins && channel.limits.rate > 0 && !this.#mayWait(channel)) return { afterMs: takenMs(channel, pusher) }
    for (let waits = 0; ; waits++) {
      const requests = await this.#enter(channel, pusher, wish)
      const got =
        requests === 0 ? { afterMs: COLD_AFTER_MS } : await this.#permitted(channel, pusher, { ...wish, requests })
      if (!isLater(got) || waits === MOST_WAITS || got.afterMs > WAIT_MS[wish.lane]) return got
      // Claimed while it waits: a permit must not be held for the time a claim takes.
      if (begins && requests > 0) return WHEN_BEGUN
      if (!(await this.#sleep(channel, wish.lane, got.afterMs))) return got
    }
  }

  /** How many requests the breaker lets start; 0 where none, even after a while. */
  async #enter(channel: Channel, pusher: Pusher, wish: Wish): Promise<number> {
    const members = Math.min(wish.members, mostOf(pusher, wish.lane))
    const wanted = Math.ceil(members / pusher.batchSize)
    const requests = this.#breaker.enter(channel.id, wanted)
    if (requests > 0) return requests
    wish.onWait?.()
    // Chunks are few in a worker anyway; of pushes a thousand may ask while the first of them get no answer.
    const most = wish.lane === 'single' ? WAITERS.single : Number.POSITIVE_INFINITY
    await this.#wait(`${channel.id}:cold`, most, () => this.#breaker.changed(channel.id, COLD_WAIT_MS))
    return this.#breaker.enter(channel.id, wanted)
  }

  async #permitted(channel: Channel, pusher: Pusher, wish: Wish & { requests: number }): Promise<Leave | Later> {
    const { lane, requests } = wish
    const { batchSize } = pusher
    const members = Math.min(wish.members, mostOf(pusher, lane), requests * batchSize)
    const ask = askFor(channel, { members, batchSize, lane })
    const permit = await this.#take(channel, { ...ask, lane, begun: wish.begun === true })
    if (!isLater(permit)) return this.#leave(channel, pusher, { permit, requests, members })
    this.#breaker.left(channel.id, requests)
    return permit
  }

  /**
   * Leave for a further request to members whose first one was answered. The breaker is not asked: it let the first one
   * start, and this one takes its place.
   */
  async again(channel: Channel, pusher: Pusher, wish: Wish): Promise<Leave | Later> {
    const { members, lane } = wish
    const ask = { ...askFor(channel, { members, lane, batchSize: pusher.batchSize }), lane, begun: true }
    for (let waits = 0; ; waits++) {
      const permit = await this.#take(channel, ask)
      if (!isLater(permit)) return this.#leave(channel, pusher, { permit, requests: 0, members })
      if (waits === MOST_WAITS || permit.afterMs > WAIT_MS[lane]) return permit
      if (!(await this.#sleep(channel, lane, permit.afterMs))) return permit
    }
  }

  #mayWait(channel: Channel): boolean {
    return (this.#waiting.get(`${channel.id}:bulk`) ?? 0) < WAITERS.bulk
  }

  /** A limit is not exceeded for want of a limiter: what cannot be asked is denied. */
  async #take(channel: Channel, ask: PermitAsk): Promise<Permit | Later> {
    if (!this.#limiter) return FREE
    try {
      return await this.#limiter.take(channel, ask)
    } catch {
      return { afterMs: NO_LIMITER_AFTER_MS }
    }
  }

  #leave(channel: Channel, pusher: Pusher, given: { permit: Permit; requests: number; members: number }): Leave {
    const { permit, requests, members } = given
    return {
      members: Math.min(members, membersOf(channel, permit.units, pusher.batchSize)),
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

/** How long the chunks that wait will use the whole account, at least. */
function takenMs(channel: Channel, pusher: Pusher): number {
  const { rate, perMs } = channel.limits
  const chunkMs = (unitsOf(channel, CHUNK_SIZE, pusher.batchSize) * perMs) / rate
  return Math.min(MOST_TAKEN_MS, WAITERS.bulk * chunkMs) * (1 + Math.random() / 5)
}

/** A synchronous push waits for all of its answers anyway: its members go at once where each has a request of its own. */
const mostOf = (pusher: Pusher, lane: Lane): number =>
  lane === 'sync' && pusher.batchSize === 1 ? Number.POSITIVE_INFINITY : mostMembers(pusher)
