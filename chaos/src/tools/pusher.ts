import { type FleetApp, HttpClient, progress, sleep } from '@fanfare/testkit'

export type PusherOptions = {
  app: FleetApp
  /** Users u0 … u<count − 1>, one push each. */
  count: number
  perSec: number
  /** Asked before each try, so that a load balancer's choice can be played. */
  urlOf?: () => string
  /** Most users that may have been begun by now: ties the load to the progress of the faults. */
  upTo?: () => number
}

/** A customer's patience, and the pauses between tries. */
const GIVE_UP_MS = 180_000
const RETRY_MS = { first: 50, most: 500 }
const TICK_MS = 10
/** Customers that wait for an answer at once: an API that is away must not be met by a storm when it returns. */
const MAX_OPEN = 128

/**
 * A patient customer: one push per user at an even pace, each with an Idempotency-Key, repeated until it is answered
 * with 2xx. Accepted is only what was answered so.
 */
export class Pusher {
  /** User → task id. */
  readonly accepted = new Map<number, string>()
  readonly done: Promise<void>
  retries = 0
  readonly #options: PusherOptions
  readonly #http = new HttpClient(256)
  #next = 0

  constructor(options: PusherOptions) {
    this.#options = options
    this.done = this.#run().finally(() => this.#http.close())
  }

  async #run(): Promise<void> {
    const { count, perSec, upTo } = this.#options
    const perTick = Math.max(1, Math.round((perSec * TICK_MS) / 1000))
    const open = new Set<Promise<void>>()
    while (this.#next < count) {
      const due = Math.min(count, this.#next + perTick, upTo?.() ?? count)
      while (this.#next < due && open.size < MAX_OPEN) {
        const push = this.#push(this.#next++).finally(() => open.delete(push))
        open.add(push)
      }
      await sleep(TICK_MS)
    }
    await Promise.all(open)
    progress(`${this.accepted.size} accepted, ${this.retries} tries repeated`)
  }

  async #push(user: number): Promise<void> {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (let waitMs = RETRY_MS.first; performance.now() < giveUpAt; waitMs = Math.min(RETRY_MS.most, waitMs * 1.5)) {
      const taskId = await this.#try(user).catch(() => undefined)
      if (taskId !== undefined) {
        this.accepted.set(user, taskId)
        return
      }
      this.retries++
      await sleep(waitMs)
    }
  }

  async #try(user: number): Promise<string | undefined> {
    const { app, urlOf } = this.#options
    const answer = await this.#http.call({
      method: 'POST',
      url: urlOf?.() ?? app.fleet.api.url,
      path: `${app.path}/push/single`,
      token: app.token,
      headers: { 'idempotency-key': `chaos-${user}` },
      body: { targets: [`u${user}`], pushMessage: { title: 'chaos', content: `to user ${user}` } },
      timeoutMs: 10_000,
    })
    if (answer.status < 200 || answer.status > 299) return undefined
    return String(answer.headers['fanfare-task-id'])
  }
}
