import type { Verdict } from '../../pushing/verdict.ts'
import type { MailTimes } from './times.ts'

const NO_CONNECTION_AFTER_MS = 2000

/** Whether a mail server answers at all. One that stalls is busy, so that its channel backs off and frees its places. */
export class Stall {
  readonly #times: MailTimes
  #restsUntil = 0
  #stalls = 0

  constructor(times: MailTimes) {
    this.#times = times
  }

  /** Why a mail that waited since `since` is not to be sent now. */
  refusal(since: number): Verdict | undefined {
    const now = performance.now()
    if (this.#restsUntil > now) return this.#busy()
    if (now - since <= this.#times.waitMs) return undefined
    return { is: 'busy', reason: 'no free connection to the mail server in time', afterMs: NO_CONNECTION_AFTER_MS }
  }

  /** Judges a mail that was under way since `startedAt`; what was not sent is busy where the server gave no answer. */
  judged(verdict: Verdict, startedAt: number): Verdict {
    if (!isSilence(verdict)) {
      this.#stalls = 0
      return verdict
    }
    if (performance.now() - startedAt < this.#times.stallMs) return verdict
    if (this.#restsUntil <= performance.now()) this.#rest()
    return verdict.is === 'deferred' ? this.#busy() : verdict
  }

  #rest(): void {
    const { restMs, mostRestMs } = this.#times
    this.#restsUntil = performance.now() + Math.min(mostRestMs, restMs * 2 ** this.#stalls)
    this.#stalls++
  }

  #busy(): Verdict {
    const afterMs = Math.max(1, Math.ceil(this.#restsUntil - performance.now()))
    return { is: 'busy', reason: 'the mail server stalls', afterMs }
  }
}

/** No answer to this mail: not sent without a word of the server, or begun and not acknowledged. */
const isSilence = ({ is, free }: Verdict): boolean => is === 'unknown' || (is === 'deferred' && free === true)
