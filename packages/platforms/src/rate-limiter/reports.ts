import type { Account } from './account.ts'

/** `at`: when the answer came, by the monotonic clock of this process. */
export type Answered = { lease: string; units: number; at: number }
export type Unused = { lease: string; units: number }
/** What one script call tells Redis of permits that ended; it is put back when the call fails. */
export type Told = { of: Account; answered: Answered[]; unused: Unused[] }

/**
 * Permits that ended and of which Redis does not know yet, by account. An answer is told with its age, so telling it
 * late costs neither exactness nor rate; an unused permit should be told at once.
 */
export class Reports {
  readonly #waiting = new Map<string, Told>()

  answered(of: Account, lease: string, units: number): void {
    this.#of(of).answered.push({ lease, units, at: performance.now() })
  }

  unused(of: Account, lease: string, units: number): void {
    this.#of(of).unused.push({ lease, units })
  }

  accounts(): Account[] {
    return Array.from(this.#waiting.values(), (told) => told.of)
  }

  take(of: Account): Told {
    const told = this.#waiting.get(of.key) ?? { of, answered: [], unused: [] }
    this.#waiting.delete(of.key)
    return told
  }

  putBack(told: Told): void {
    if (told.answered.length + told.unused.length === 0) return
    const waiting = this.#of(told.of)
    waiting.answered.push(...told.answered)
    waiting.unused.push(...told.unused)
  }

  #of(of: Account): Told {
    const told = this.#waiting.get(of.key) ?? { of, answered: [], unused: [] }
    this.#waiting.set(of.key, told)
    return told
  }
}
