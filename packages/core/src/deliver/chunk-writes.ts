import type { StoreClock } from '../common/store-clock.ts'
import { type Deferred, type Judged, type OutcomeWrite, remainderOf } from '../ledger/judge.ts'
import { type Backoff, backoffMs } from '../ledger/retry.ts'
import type { Outcome } from '../nouns/chunk.ts'
import type { Later } from '../ports/later.ts'
import type { Log } from '../ports/log.ts'
import type { ChunkWrite, Claimed } from '../ports/store/chunks.ts'
import type { Recorder } from './recorder.ts'

/** Why a chunk was left before its last member. `afterMs`: it goes on then. */
export type Stop = 'zombie' | 'cancelled' | 'paused' | 'expired' | Later

export type LedgerParts = {
  recorder: Recorder
  clock: StoreClock
  log: Log
  leaseMs: number
  retry: Backoff
  chunkDone(claimed: Claimed): void
}

type Fields = Omit<ChunkWrite, 'taskId' | 'seq' | 'fence' | 'outcomes'>

/** Results are written at least so often, or when there are so many (docs/reliability.md §3.2). */
const FLUSH_MS = 150
const FLUSH_RESULTS = 100
/** A job that came before its chunk's `nextAt` by the store's clock would be answered that there is nothing to claim. */
const CLOCK_MS = 50

/** What one claim of a chunk writes: results in passing, windows before they are sent, and how it ended. */
export class ChunkLedger {
  /** Set once another worker holds the chunk: nothing may be sent or written any more. */
  lost = false
  readonly #parts: LedgerParts
  readonly #claimed: Claimed
  /** Members deferred by an earlier claim that this one leaves alone. */
  readonly #waiting: readonly number[]
  #results: OutcomeWrite[] = []
  #deferred: Deferred[] = []
  #timer: NodeJS.Timeout | undefined
  #full: NodeJS.Immediate | undefined

  constructor(parts: LedgerParts, claimed: Claimed, waiting: readonly number[]) {
    this.#parts = parts
    this.#claimed = claimed
    this.#waiting = waiting
  }

  add(judged: Judged): void {
    if ('again' in judged) {
      this.#deferred.push(judged.again)
      return
    }
    this.#results.push(judged.write)
    if (this.#results.length === FLUSH_RESULTS) this.#full = setImmediate(() => void this.#flush())
    else if (this.#claimed.chunk.members.length > 1) this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_MS)
  }

  /**
   * Marks members as about to be sent, in one write with the lease and what is known by now. False where the task was
   * cancelled or another worker holds the chunk; only then the writes that follow are refused as well.
   */
  mark(started: number, retried: readonly number[]): Promise<boolean> {
    const marks = retried.map((index): OutcomeWrite => [index, 'started'])
    return this.#send({ started, leaseMs: this.#parts.leaseMs }, marks)
  }

  /** The last write of this claim. Answers when the job is to run again. */
  async end(stop: Stop | undefined, unsent: readonly number[]): Promise<Later | undefined> {
    this.close()
    if (this.lost || stop === 'zombie') return undefined
    if (stop === 'cancelled' || stop === 'expired') return this.#finish(this.#everyOpen(unsent, stop))
    if (stop === 'paused') return this.#putOff(undefined)
    if (unsent.length > 0) return this.#putOff(stop?.afterMs ?? 0)
    if (this.#deferred.length === 0 && this.#waiting.length === 0) return this.#finish([])
    return this.#remain(stop?.afterMs ?? 0)
  }

  close(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#full)
    this.#timer = undefined
  }

  #everyOpen(unsent: readonly number[], outcome: Outcome): OutcomeWrite[] {
    const open = [...unsent, ...this.#deferred.map(({ index }) => index), ...this.#waiting]
    return open.map((index): OutcomeWrite => [index, outcome])
  }

  async #finish(outcomes: readonly OutcomeWrite[]): Promise<undefined> {
    if (await this.#write({ state: 'done' }, outcomes)) this.#parts.chunkDone(this.#claimed)
  }

  /** Hands the chunk back with its unsent members; with no `afterMs` the sweeper brings it back (a paused task). */
  #putOff(afterMs: number | undefined): Promise<Later | undefined> {
    const again = this.#deferred.map(({ index, reason }): OutcomeWrite => [index, 'deferred', reason])
    return this.#queue(again, afterMs, false)
  }

  /** Only deferred members are left: they wait for their backoff, unless their tries are used up. */
  #remain(leastMs: number): Promise<Later | undefined> {
    const { tries } = this.#claimed.chunk
    const rest = remainderOf(this.#deferred, tries, this.#parts.retry)
    const waitMs = this.#waiting.length > 0 ? backoffMs(tries, this.#parts.retry) : 0
    if (rest.afterMs === undefined && waitMs === 0) return this.#finish(rest.writes)
    return this.#queue(rest.writes, Math.max(rest.afterMs ?? 0, waitMs, leastMs), rest.countTry)
  }

  async #queue(
    outcomes: readonly OutcomeWrite[],
    afterMs: number | undefined,
    countTry: boolean,
  ): Promise<Later | undefined> {
    // All sends of this claim have their answer: nothing is in doubt, so the mark goes back to the start.
    const leaseMs = afterMs === undefined ? 0 : afterMs + this.#parts.leaseMs
    const nextAt = this.#parts.clock.in(afterMs ?? 0)
    const write = { state: 'queued' as const, started: 0, leaseMs, nextAt, ...(countTry && { countTry }) }
    const held = await this.#write(write, outcomes)
    return held && afterMs !== undefined ? { afterMs: afterMs + CLOCK_MS } : undefined
  }

  async #flush(): Promise<void> {
    this.close()
    if (this.#results.length > 0) await this.#write({}, []).catch(() => undefined)
  }

  async #write(fields: Fields, more: readonly OutcomeWrite[]): Promise<boolean> {
    const held = await this.#send(fields, more)
    if (!held && !this.lost) {
      const { taskId, seq, fence } = this.#claimed.chunk
      this.#parts.log.warn({ taskId, seq, fence }, 'chunk is held by another worker, sending stopped')
      this.lost = true
    }
    return held
  }

  #send(fields: Fields, more: readonly OutcomeWrite[]): Promise<boolean> {
    const { taskId, seq, fence } = this.#claimed.chunk
    const outcomes = more.length === 0 ? this.#results : [...this.#results, ...more]
    this.#results = []
    return this.#parts.recorder.write({ taskId, seq, fence, outcomes, ...fields })
  }
}
