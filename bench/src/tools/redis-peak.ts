import type { FleetRedis } from '@fanfare/testkit'

const SAMPLE_MS = 250

/** Watches Redis' memory until stopped. */
export class RedisPeak {
  readonly #redis: FleetRedis
  readonly #timer: NodeJS.Timeout
  #peakMb = 0

  constructor(redis: FleetRedis) {
    this.#redis = redis
    this.#timer = setInterval(() => void this.#sample().catch(() => undefined), SAMPLE_MS)
  }

  /** Answers the peak in MB. */
  async stop(): Promise<number> {
    clearInterval(this.#timer)
    await this.#sample()
    return this.#peakMb
  }

  async #sample(): Promise<void> {
    this.#peakMb = Math.max(this.#peakMb, await this.#redis.usedMb())
  }
}
