import { PushError, Refusal, StoreDownError } from '@fanfare/core'
import { ERRORS, sentenceOf, statusOf, type WireCode, type WireError } from '../wire/errors.ts'
import type { Answer } from './route.ts'

const STORE_RETRY_SECONDS = 2
/** Nobody waits for a caller who has gone away. */
export class RequestAborted extends Error {
  override readonly name = 'RequestAborted'
}

/** Whatever was thrown, as an error a caller may see. Unknown ones become INTERNAL, without any detail. */
export function toWireError(error: unknown): WireError {
  if (error instanceof Refusal) return error as WireError
  if (error instanceof StoreDownError) {
    return new PushError('STORE_DOWN', {}, { retryAfterSeconds: STORE_RETRY_SECONDS, cause: error })
  }
  return new PushError('INTERNAL', {}, { cause: error })
}

/** The envelope of tenant routes (docs/wire-api.md §1.6). */
export function envelope(error: WireError, startedAt: number): Answer {
  const now = Date.now()
  const [status, name, exception] = ERRORS[error.code]
  const body = JSON.stringify({
    error: name,
    exception,
    timestamp: now,
    duration: now - startedAt,
    error_description: sentenceOf(error),
  })
  return { status, body, ...retryAfter(error) }
}

/** RFC 9457, for /admin. */
export function problem(error: WireError, instance: string): Answer {
  const status = statusOf(error)
  const body = JSON.stringify({
    type: `urn:fanfare:error:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: sentenceOf(error),
    instance,
  })
  return { status, body, type: 'application/problem+json', ...retryAfter(error) }
}

const titleOf = (code: WireCode): string => code.toLowerCase().replaceAll('_', ' ')

const retryAfter = (error: WireError): Pick<Answer, 'headers'> =>
  error.retryAfterSeconds === undefined ? {} : { headers: { 'Retry-After': String(error.retryAfterSeconds) } }
