/** What can be wrong with what somebody asks for. Each door has its own words for them. */
export type ErrorCode =
  | 'APP_UNKNOWN'
  | 'BAD_MESSAGE'
  | 'BAD_PARAMETER'
  | 'BINDING_INVALID'
  | 'CHANNEL_UNKNOWN'
  | 'CLIENT_ID_WRONG'
  | 'CLIENT_SECRET_WRONG'
  | 'INTERNAL'
  | 'KEY_REUSED'
  | 'KEY_RUNNING'
  | 'LABEL_EXISTS'
  | 'LABEL_UNKNOWN'
  | 'LIMIT'
  | 'NAME_TAKEN'
  | 'NOT_FOUND'
  | 'OUTCOME_UNKNOWN'
  | 'OVERLOADED'
  | 'QUEUE_FULL'
  | 'REACH_LIMIT'
  | 'ROUTE_NOT_OPEN'
  | 'SERVICE_NOT_OPEN'
  | 'STORE_DOWN'
  | 'SYNC_ONE_USER'
  | 'TOKEN_CORRUPT'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_MISSING'
  | 'TOKEN_REVOKED'
  | 'USER_UNKNOWN'

export type ErrorDetails = Readonly<Record<string, string | number>>

/** Why a request is refused: a code to switch on, and the details by which a door makes a sentence of it for people. */
export abstract class Refusal<Code extends string = string> extends Error {
  readonly code: Code
  readonly details: ErrorDetails
  /** Asking again is of use after so many seconds. */
  readonly retryAfterSeconds: number | undefined
  constructor(code: Code, details: ErrorDetails = {}, more: { retryAfterSeconds?: number; cause?: unknown } = {}) {
    super([code, ...Object.values(details)].join(': '), { cause: more.cause })
    this.code = code
    this.details = details
    this.retryAfterSeconds = more.retryAfterSeconds
  }
}

/** An error that whoever asked may see. */
export class PushError extends Refusal<ErrorCode> {
  override readonly name = 'PushError'
}

/** The store does not answer (or not in time); the operation may or may not have happened and may be tried again. */
export class StoreDownError extends Error {
  override readonly name = 'StoreDownError'
  /** True where it is certain that the operation did not happen, e.g. because the store was never reached. */
  readonly nothingWritten: boolean
  constructor(message: string, more: { cause?: unknown; nothingWritten?: boolean } = {}) {
    super(message, { cause: more.cause })
    this.nothingWritten = more.nothingWritten ?? false
  }
}

/** The error of the write that accepts a push: only where it is certain may a caller be told that nothing was accepted. */
export function acceptError(error: unknown): unknown {
  if (!(error instanceof StoreDownError) || error.nothingWritten) return error
  return new PushError('OUTCOME_UNKNOWN', {}, { cause: error })
}

/** A sealed credential does not open: tampered with, moved between rows, or sealed with another master key. */
export class SealError extends Error {
  override readonly name = 'SealError'
}
