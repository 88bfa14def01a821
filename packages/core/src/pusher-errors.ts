import { cleanReason } from './reason.ts'

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
