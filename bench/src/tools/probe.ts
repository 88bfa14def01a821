import type { FleetApp } from '@fanfare/testkit'

const EVERY_MS = 10

export type ProbeOptions = { users: number; firstUser?: number; everyMs?: number; tag?: string }

/**
 * Pushes one stamped message each 10 ms (beside a load of prepared bytes, or alone), so that the simulator can tell
 * the time from request to arrival: `sent@<ms>#<tag>` in the content.
 */
export class Probe {
  readonly #app: FleetApp
  readonly #options: ProbeOptions
  readonly #timer: NodeJS.Timeout
  readonly #open = new Set<Promise<void>>()
  #accepted = 0
  #next = 0

  constructor(app: FleetApp, options: ProbeOptions) {
    this.#app = app
    this.#options = options
    this.#timer = setInterval(() => this.#push(), options.everyMs ?? EVERY_MS)
  }

  /** Waits for the answers still under way; answers how many pushes were accepted. */
  async stop(): Promise<number> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    return this.#accepted
  }

  #push(): void {
    const { users, firstUser = 0 } = this.#options
    const sent = this.#send(`u${firstUser + (this.#next++ % users)}`).finally(() => this.#open.delete(sent))
    this.#open.add(sent)
  }

  async #send(user: string): Promise<void> {
    const sentAtMs = (performance.timeOrigin + performance.now()).toFixed(3)
    const content = `sent@${sentAtMs}${this.#options.tag ? `#${this.#options.tag}` : ''}`
    const pushMessage = { title: 'Fanfare', content }
    // A push that gets no answer is one that was not accepted; the bench goes on.
    const answer = await this.#app
      .tryCall('POST', 'push/single', { targets: [user], pushMessage })
      .catch(() => undefined)
    if (answer?.status === 200) this.#accepted++
  }
}
