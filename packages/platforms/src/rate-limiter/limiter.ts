import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { accountKey, Batcher, type Channel, type Limiter, type Log, type Permit, type PermitAsk } from '@fanfare/core'
import { identityOf } from '@fanfare/redis'
import { type Account, AccountsOfChannels, type KeyOf } from './account.ts'
import { callOf, carryOf, type Work } from './call.ts'
import { LimiterConnection, type ScriptAnswer } from './connection.ts'
import { type Hold, LossWatch } from './loss.ts'
import { Reports } from './reports.ts'
import { Spread } from './spread.ts'
import { Stops } from './stops.ts'

export type LimiterOptions = {
  log?: Log
  /** Redis keys start with this; its hash tag keeps all of them in one slot of a cluster. */
  prefix?: string
  /** Permits of a worker that died come back after this; longer than any request to a vendor may take. */
  leaseMs?: number
  /** How long Redis may take to answer; then asks are denied for `DENIED_MS`. */
  answerMs?: number
  /** How the memory of a server is named; chaos entries show what happens where a promotion goes unseen. */
  identityOf?: typeof identityOf
  /** Whose limit a channel counts against; chaos tests show what happens where tenants can name it. */
  accountOf?: KeyOf
}

type Answer = Permit | { afterMs: number }
type Order = { of: Account; ask: PermitAsk }
type Group = { of: Account; orders: Order[] }

/** How long an asker stays away when Redis does not answer: a limit is never exceeded for want of Redis. */
const DENIED_MS = 500
const REPORT_EVERY_MS = 20
/** While one request finds out whether the vendor takes more, the others look again after this. */
const TRY_AGAIN_MS = 100
/** An account nobody sends on: a call for it tells the epoch of this Redis, or begins it. */
const NOBODY: Account = {
  key: 'nobody',
  channelId: 'nobody',
  asker: 'nobody',
  limits: { rate: 1, unit: 'request', perMs: 1 },
  version: 0,
}

/**
 * The fleet-wide limiter of vendor accounts over one Redis (docs/design.md §8); the rules are in script.ts. Asks of one
 * tick share a round trip, answers are reported in batches with their age. A channel without a limit costs no call at
 * all.
 */
export function openLimiter(redisUrl: string, options: LimiterOptions = {}): Limiter {
  return new RedisLimiter(redisUrl, options)
}

class RedisLimiter implements Limiter {
  readonly #connection: LimiterConnection
  readonly #log: Log | undefined
  readonly #settings: { prefix: string; leaseMs: number }
  readonly #accounts: AccountsOfChannels
  readonly #id = randomBytes(6).toString('hex')
  readonly #asks: Batcher<Order, Answer>
  readonly #reports = new Reports()
  readonly #loss: LossWatch
  readonly #stops = new Stops()
  readonly #spread: Spread
  #calls = 0
  #reportTimer: NodeJS.Timeout | undefined
  #closed = false

  constructor(redisUrl: string, options: LimiterOptions) {
    this.#log = options.log
    this.#accounts = new AccountsOfChannels(options.accountOf ?? accountKey)
    const prefix = options.prefix ?? '{fanfare:limiter}'
    this.#settings = { prefix, leaseMs: options.leaseMs ?? 30_000 }
    this.#connection = new LimiterConnection(redisUrl, {
      answerMs: options.answerMs ?? DENIED_MS,
      prefix,
      identityOf: options.identityOf ?? identityOf,
    })
    this.#spread = new Spread(redisUrl, { topic: `${prefix}:stops`, hear: (key, ms) => void this.#stops.add(key, ms) })
    this.#asks = new Batcher((orders) => this.#serve(orders), { maxItems: 200, inFlight: 2 })
    const look = () => this.#run([this.#workFor(NOBODY, [])])
    this.#loss = new LossWatch({ leaseMs: this.#settings.leaseMs, look, hold: (holds) => this.#hold(holds) })
    // Begins the epoch of a new Redis now, so that its first second is over when the first push comes.
    look().catch(() => undefined)
  }

  async take(channel: Channel, ask: PermitAsk): Promise<Answer> {
    const of = this.#accounts.of(channel)
    if (of.limits.rate <= 0) return this.#freely(of, ask.units)
    if (this.#closed) return denied()
    return this.#asks.add({ of, ask })
  }

  /**
   * Holds in this process from now on, whatever Redis does: what is granted nonetheless goes back, what was granted before
   * says so when it is used.
   */
  async slowDown(channel: Channel, afterMs: number): Promise<void> {
    const of = this.#accounts.of(channel)
    if (this.#stops.add(of.key, afterMs)) await this.#tellStop(of)
  }

  async #tellStop(of: Account): Promise<void> {
    for (let leftMs = this.#stops.leftMs(of.key); leftMs > 0 && !this.#closed; leftMs = this.#stops.leftMs(of.key)) {
      try {
        await Promise.all([this.#spread.tell(of.key, leftMs), this.#tellScript(of, leftMs)])
        return
      } catch (error) {
        this.#log?.warn({ account: of.key, err: String(error) }, 'Redis does not know yet that a vendor wants a rest')
        await sleep(DENIED_MS, undefined, { ref: false })
      }
    }
  }

  async #tellScript(of: Account, slowMs: number): Promise<void> {
    if (of.limits.rate <= 0) return
    const [result] = await this.#run([{ ...this.#workFor(of, []), slowMs }])
    if (result instanceof Error) throw result
  }

  async carry(from: string, to: string, moves: boolean): Promise<void> {
    const [answer] = await this.#connection.run([carryOf({ from, to, moves }, this.#settings)])
    if (answer instanceof Error) throw answer
    this.#stops.carry(from, to)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#loss.close()
    clearTimeout(this.#reportTimer)
    await this.#report()
    this.#spread.close()
    this.#connection.close()
  }

  /** No limit, no call. After a stop one unit finds out whether the vendor takes more, as in the script. */
  #freely(of: Account, units: number): Answer {
    const restMs = () => this.#stops.leftMs(of.key)
    const stop = this.#stops.of(of.key)
    if (!stop) return { units, restMs, answered: () => undefined, unused: () => undefined }
    const leftMs = Math.max(restMs(), stop.triesUntil > performance.now() ? TRY_AGAIN_MS : 0)
    if (leftMs > 0) return { afterMs: Math.ceil(leftMs * (1 + Math.random() / 5)) }
    stop.triesUntil = performance.now() + this.#settings.leaseMs
    const unused = () => {
      stop.triesUntil = 0
    }
    return { units: 1, restMs, answered: () => this.#stops.end(of.key, stop), unused }
  }

  async #serve(orders: readonly Order[]): Promise<Answer[]> {
    const groups = groupsOf(orders)
    const works = groups.map((group) =>
      this.#workFor(
        group.of,
        group.orders.map((order) => order.ask),
      ),
    )
    const results = await this.#run(works).catch((error: unknown) => groups.map(() => asError(error)))
    const answers = new Map<Order, Answer>()
    for (const [index, { orders: asked }] of groups.entries()) {
      const result = results[index] ?? new Error('no answer')
      const lease = works[index]?.lease ?? ''
      if (result instanceof Error) this.#log?.warn({ err: result.message }, 'the limiter denies: Redis failed')
      for (const [place, order] of asked.entries()) answers.set(order, this.#answerOf(order.of, lease, result, place))
    }
    return orders.map((order) => answers.get(order) ?? denied())
  }

  #answerOf(of: Account, lease: string, result: ScriptAnswer | Error, place: number): Answer {
    if (result instanceof Error) return denied()
    const value = Number(result[place + 1] ?? -DENIED_MS)
    if (value <= 0) return { afterMs: -value }
    const permit = this.#permit(of, lease, value)
    const restMs = this.#stops.leftMs(of.key)
    if (restMs === 0) return permit
    permit.unused()
    return { afterMs: restMs }
  }

  #permit(of: Account, lease: string, units: number): Permit {
    let left = units
    const giveBack = (back: number): void => {
      if (back <= 0) return
      left -= back
      this.#reports.unused(of, lease, back)
      this.#reportIn(0)
    }
    const answered = (): void => {
      // Timed at the issue, a permit comes free by itself.
      if (left > 0 && of.limits.timedAt !== 'issue') this.#reports.answered(of, lease, left)
      left = 0
      this.#reportIn(REPORT_EVERY_MS)
    }
    return {
      units,
      restMs: () => this.#stops.leftMs(of.key),
      keep: (kept) => giveBack(left - Math.max(0, kept)),
      answered,
      unused: (back = left) => {
        giveBack(Math.min(left, back))
        if (left > 0) answered()
      },
    }
  }

  #reportIn(ms: number): void {
    if (ms === 0) clearTimeout(this.#reportTimer)
    else if (this.#reportTimer) return
    this.#reportTimer = setTimeout(() => void this.#report(), ms)
  }

  /** What cannot be told now is told later: its age is told with it. */
  async #report(): Promise<void> {
    this.#reportTimer = undefined
    const works = this.#reports.accounts().map((of) => this.#workFor(of, []))
    if (works.length === 0) return
    const results = await this.#run(works).catch((error: unknown) => [asError(error)])
    if (results.some((result) => result instanceof Error) && !this.#closed) this.#reportIn(DENIED_MS)
  }

  #hold(holds: readonly Hold[]): void {
    this.#log?.warn({ accounts: holds.length }, 'Redis lost the limiter: accounts begin again with an empty window')
    this.#connection.forget()
    if (holds.length === 0) return
    this.#run(holds.map(({ of, forMs }) => ({ ...this.#workFor(of, []), holdMs: forMs }))).catch(() => undefined)
  }

  #workFor(of: Account, asks: readonly PermitAsk[]): Work {
    if (asks.length > 0) this.#loss.used(of)
    const lease = `${of.limits.timedAt === 'issue' ? 'i' : 'a'}${this.#id}.${++this.#calls}`
    return { of, lease, told: this.#reports.take(of), asks }
  }

  async #run(works: readonly Work[]): Promise<(ScriptAnswer | Error)[]> {
    try {
      const results = await this.#connection.run(works.map((work) => callOf(work, this.#settings)))
      for (const [index, work] of works.entries()) {
        const result = results[index]
        if (result === undefined || result instanceof Error) this.#reports.putBack(work.told)
        else this.#loss.saw(result[0])
      }
      return results
    } catch (error) {
      for (const work of works) this.#reports.putBack(work.told)
      throw error
    }
  }
}

const denied = (): { afterMs: number } => ({ afterMs: DENIED_MS + Math.floor(Math.random() * 100) })
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

/** The orders of each channel on its account together, single pushes before bulk. */
function groupsOf(orders: readonly Order[]): Group[] {
  const groups = new Map<string, Group>()
  for (const order of orders) {
    const group = groups.get(order.of.asker)
    if (group) group.orders.push(order)
    else groups.set(order.of.asker, { of: order.of, orders: [order] })
  }
  for (const { orders: asked } of groups.values()) asked.sort((a, b) => rank(a) - rank(b))
  return [...groups.values()]
}

const rank = (order: Order): number => (order.ask.lane === 'bulk' ? 1 : 0)
