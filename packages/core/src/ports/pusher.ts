import type { Channel } from '../nouns/channel.ts'
import type { Message } from '../nouns/message.ts'
import { cleanReason } from '../nouns/reasons.ts'
import type { Lane } from '../nouns/task.ts'
import type { Later } from './later.ts'

/**
 * Asks leave for a further request to members whose first one was answered (a new access token, a batch that is split):
 * for how many it was got, or when to come again. Every request to a vendor has a permit of its own.
 */
export type AskAgain = (members: number) => Promise<{ members: number } | Later>

/** One request to a vendor: one channel, one message. */
export type Batch = {
  message: Message
  /** Whose turn it is where requests wait for a connection: chunks of tasks come after all others. */
  lane: Lane
  /** Each result carries the vendor's answer; a synchronous push passes it on. */
  wantsReply: boolean
  members: readonly BatchMember[]
  /** Stable over retries of the same members; for vendors that can drop a repetition. */
  id: string
  taskId: string
  expiresAt: Date
  /** Called when all requests made so far for the batch are answered. Absent: whoever pushes keeps no limit. */
  again?: AskAgain
  /** For how long the vendor wants the account left alone; looked at before each request, which goes where it is 0. */
  restMs?(): number
}

/** Task and `id` together name the delivery, the same over all retries. */
export type BatchMember = { id: string; token: string }

/** What became of one member. `reply`: the vendor's raw answer, where the batch wants it. */
export type PushResult = { id: string; reply?: unknown } & (
  | { outcome: 'sent' }
  /**
   * The token is dead. `since`: the vendor's time stamp of it. `gated`: may also mean a wrong project (docs/vendors.md
   * §0.4).
   */
  | { outcome: 'invalid'; reason: string; since?: Date; gated?: boolean }
  | { outcome: 'rejected'; reason: string }
  /**
   * `free`: the vendor did not process it (REFUSED_STREAM, GOAWAY, connect refused), so the try is not counted.
   * `busy`: it asked the account to slow down while other members of the batch got an answer; the limiter is told.
   */
  | { outcome: 'deferred'; reason: string; afterMs?: number; free?: boolean; busy?: boolean }
  | { outcome: 'unknown'; reason: string }
)

/** One vendor, opened with one channel's credentials. */
export interface Pusher {
  /** Members per request: 1,000 for Xiaomi, Huawei, WeCom; 1 for APNs, FCM, email. */
  readonly batchSize: number
  /**
   * Sends to all members, in as many requests as `batchSize` asks for, and answers one result per member.
   * Rejects only when it knows nothing of any: ChannelError (credentials) or BusyError (back off).
   */
  push(batch: Batch, signal: AbortSignal): Promise<PushResult[]>
  close(): Promise<void>
}

/** The channel's credentials or configuration are wrong: no token is to blame. The breaker counts these. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError'
  readonly reason: string
  constructor(reason: string, options?: ErrorOptions) {
    super(`channel refused: ${reason}`, options)
    this.reason = cleanReason(reason)
  }
}

/** The vendor asks to slow down (429, 503, quota), nothing of the batch was processed. `afterMs`: its Retry-After. */
export class BusyError extends Error {
  override readonly name = 'BusyError'
  readonly reason: string
  readonly afterMs: number | undefined
  /** The daily quota is used up: stop the channel until the vendor's next day. */
  readonly quotaDay: boolean
  constructor(reason: string, more: { afterMs?: number; quotaDay?: boolean; cause?: unknown } = {}) {
    super(`vendor busy: ${reason}`, { cause: more.cause })
    this.reason = cleanReason(reason)
    this.afterMs = more.afterMs
    this.quotaDay = more.quotaDay ?? false
  }
}

/** Open pushers, one per channel and process; closed when idle or when the channel changes. */
export interface Pushers {
  for(channel: Channel): Promise<Pusher>
  /** Closes the channel's pusher (its credentials changed or it was removed). */
  drop(channelId: string): void
  close(): Promise<void>
}
