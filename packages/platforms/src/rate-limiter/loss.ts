import type { Account } from './account.ts'

type Use = { of: Account; usedAt: number }
/** Nothing goes to the account for so long after the epoch began. */
export type Hold = { of: Account; forMs: number }
export type LossOptions = {
  /** No request is answered later than this after its permit was granted. */
  leaseMs: number
  /** Asks Redis for anything, so that a new epoch is seen. */
  look(): Promise<unknown>
  hold(holds: readonly Hold[]): void
  /** Accounts remembered at most. */
  most?: number
}

/** After a loss the script keeps every account empty for this long; longer windows need who remembers them. */
const HELD_BY_SCRIPT_MS = 1000
const LOOK_EVERY_MS = 300
/** Tenants may make accounts with windows of a day: beyond so many the one used longest ago is left to the script. */
const MOST = 10_000

/**
 * Notices that Redis lost its memory (FLUSHALL, a restart, a promoted replica): the epoch in the answers has changed. The
 * script keeps accounts empty for the first second of an epoch at least; within it each process tells which accounts it
 * has used. Of the same server they stay empty for one window. Of another one what was granted last is unknown, so they
 * stay empty until every permit must have been answered, and for one window more.
 */
export class LossWatch {
  readonly #used = new Map<string, Use>()
  readonly #options: LossOptions
  #epoch = ''
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: LossOptions) {
    this.#options = options
  }

  used(of: Account): void {
    if (this.#closed) return
    this.#used.delete(of.key)
    this.#used.set(of.key, { of, usedAt: performance.now() })
    if (this.#used.size > (this.#options.most ?? MOST)) this.#dropOldest()
    this.#lookAgain()
  }

  saw(epoch: string): void {
    const before = this.#epoch
    this.#epoch = epoch
    if (before === '' || epoch === before) return
    const answeredMs = serverIn(before) === serverIn(epoch) ? 0 : this.#options.leaseMs
    const holds = this.#recent().map((of) => ({ of, forMs: of.limits.perMs + answeredMs }))
    this.#options.hold(holds.filter(({ forMs }) => forMs > HELD_BY_SCRIPT_MS))
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  /** The first: whatever is used moves to the end. */
  #dropOldest(): void {
    const oldest = this.#used.keys().next()
    if (!oldest.done) this.#used.delete(oldest.value)
  }

  #recent(): Account[] {
    const now = performance.now()
    for (const [key, { of, usedAt }] of this.#used) {
      if (now - usedAt > of.limits.perMs + this.#options.leaseMs) this.#used.delete(key)
    }
    return Array.from(this.#used.values(), (use) => use.of)
  }

  #lookAgain(): void {
    this.#timer ??= setTimeout(() => void this.#look(), LOOK_EVERY_MS).unref()
  }

  async #look(): Promise<void> {
    await this.#options.look().catch(() => undefined)
    this.#timer = undefined
    if (!this.#closed && this.#recent().length > 0) this.#lookAgain()
  }
}

const serverIn = (epoch: string): string => epoch.slice(0, epoch.indexOf('|'))
