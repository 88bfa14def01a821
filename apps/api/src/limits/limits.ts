import { APP_DEFAULTS, type App, type Log, PushError } from '@fanfare/core'
import type { Connection } from '@fanfare/redis'

/**
 * One request of `requestsPerMinute` (GCRA, in Redis, so that all API processes share it). KEYS[1]: the app's key;
 * ARGV: milliseconds per request, burst in requests. Answers 0, or the milliseconds to wait.
 */
const TAKE = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local step = tonumber(ARGV[1])
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local ahead = due - now
if ahead > step * (tonumber(ARGV[2]) - 1) then return math.ceil(ahead - step * (tonumber(ARGV[2]) - 1)) end
redis.call('SET', KEYS[1], due + step, 'PX', math.ceil(ahead + step + 1000))
return 0`
const MINUTE_MS = 60_000
/** So many requests may come at once before the rate spreads them. */
const BURST_SECONDS = 10

/** The API's own rate limit of an app (docs/wire-api.md §1.7); off unless set. Redis down: the request passes. */
export async function takeRequest(redis: Connection, app: App, log: Log): Promise<void> {
  const perMinute = app.settings.requestsPerMinute ?? APP_DEFAULTS.requestsPerMinute
  if (perMinute <= 0) return
  const burst = Math.max(1, Math.ceil((perMinute * BURST_SECONDS) / 60))
  const waitMs = await redis
    .eval(TAKE, 1, `fanfare:api:rate:${app.id}`, String(MINUTE_MS / perMinute), String(burst))
    .catch((error: unknown) => {
      log.warn({ err: String(error) }, 'the rate limit of the API could not be asked')
      return 0
    })
  if (Number(waitMs) > 0) {
    throw new PushError('REACH_LIMIT', {}, { retryAfterSeconds: Math.ceil(Number(waitMs) / 1000) })
  }
}

/** Requests that are worked on in this process; more than so many are refused (docs/reliability.md T7). */
export class InFlight {
  #count = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  get isFull(): boolean {
    return this.#count >= this.#max
  }

  enter(): void {
    if (this.isFull) throw new PushError('OVERLOADED', {}, { retryAfterSeconds: 1 })
    this.#count++
  }

  leave(): void {
    this.#count--
  }

  /** Runs `work` in a place. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    this.enter()
    try {
      return await work()
    } finally {
      this.leave()
    }
  }
}

const FAILURES_PER_MINUTE = 20
const MAX_TRACKED = 10_000

/** Wrong client credentials by app and caller: from the 21st in a minute on they are answered 429. */
export class Failures {
  #counts = new Map<string, number>()
  #minute = 0

  /** Counts one; throws REACH_LIMIT where there were too many. */
  add(key: string): void {
    this.#turn()
    const count = (this.#counts.get(key) ?? 0) + 1
    if (this.#counts.size < MAX_TRACKED || this.#counts.has(key)) this.#counts.set(key, count)
    if (count <= FAILURES_PER_MINUTE) return
    throw new PushError('REACH_LIMIT', {}, { retryAfterSeconds: 60 - Math.floor((Date.now() % MINUTE_MS) / 1000) })
  }

  #turn(): void {
    const minute = Math.floor(Date.now() / MINUTE_MS)
    if (minute === this.#minute) return
    this.#minute = minute
    this.#counts = new Map()
  }
}
