import type { Connection } from '@fanfare/redis'
import { prefixOf } from './jobs.ts'

const CHECK_MS = 20_000
const STUCK_AFTER_MS = 60_000

export type WatchdogHooks = { busy: () => boolean; onStuck: () => void }

/**
 * Notices a consumer that has silently stopped taking jobs, as BullMQ once did after outages (docs/reliability.md
 * §0.1).
 */
export class Watchdog {
  #lastAlive = Date.now()
  readonly #timer: NodeJS.Timeout
  readonly #redis: Connection
  readonly #name: string
  readonly #hooks: WatchdogHooks

  constructor(redis: Connection, name: string, hooks: WatchdogHooks) {
    this.#redis = redis
    this.#name = name
    this.#hooks = hooks
    this.#timer = setInterval(() => void this.#check().catch(() => undefined), CHECK_MS)
    this.#timer.unref()
  }

  alive(): void {
    this.#lastAlive = Date.now()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #check(): Promise<void> {
    if (this.#hooks.busy()) return this.alive()
    // Redis itself is away: its return is what is waited for, not a new process.
    if (this.#redis.status !== 'ready') return this.alive()
    const key = `${prefixOf(this.#name)}:${this.#name}`
    const [waiting, prioritized] = await Promise.all([
      this.#redis.llen(`${key}:wait`),
      this.#redis.zcard(`${key}:prioritized`),
    ])
    if (waiting + prioritized === 0) return this.alive()
    if (Date.now() - this.#lastAlive > STUCK_AFTER_MS) this.#hooks.onStuck()
  }
}
