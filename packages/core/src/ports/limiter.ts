import type { Channel } from '../nouns/channel.ts'
import type { Lane } from '../nouns/task.ts'
import type { Later } from './later.ts'

/** Leave to send `units` on a channel. Exactly one of `answered` and `unused` is called, once. */
export interface Permit {
  readonly units: number
  /** For how long the vendor has asked since to leave the account alone: 0 where the permit may be used. */
  restMs?(): number
  /** Gives back all but `units` at once; before the permit is used. */
  keep?(units: number): void
  /** The answer came (or the time-out): the units are free again one window from now. */
  answered(): void
  /** Nothing was sent: the units are free at once. */
  unused(units?: number): void
}

/** `begun`: more for a chunk that is being sent; it is served before chunks that have not begun. */
export type PermitAsk = { units: number; least: number; lane: Lane; begun?: boolean }

/** The fleet-wide limiter of vendor accounts (packages/platforms, in Redis). */
export interface Limiter {
  /**
   * Takes up to `units` (at least `least`) or says when to ask again. Single and synchronous pushes are served before
   * chunks: while one of them waits, no `bulk` asker gets a permit on that account. Never waits itself.
   */
  take(channel: Channel, ask: PermitAsk): Promise<Permit | Later>
  /**
   * The vendor asked to slow down: nothing goes to this account for `afterMs`, then one request, and when that is answered
   * half the rate, which recovers. Holds in this process at once; resolves when the others know. Never rejects.
   */
  slowDown(channel: Channel, afterMs: number): Promise<void>
  /**
   * Account `to` goes on with what `from` has used and with its back-off. `moves`: nobody is to send on `from` any more;
   * whoever has not heard of it yet is denied. Rejects where Redis does not answer.
   */
  carry(from: string, to: string, moves: boolean): Promise<void>
  close(): Promise<void>
}

/** The `rate` of single tasks over the whole fleet (packages/queue, in Redis). */
export interface TaskRate {
  /** 0 where `members` of the task may be sent now (they are taken), else the milliseconds until some may. */
  take(taskId: string, ratePerSecond: number, members: number): Promise<number>
}
