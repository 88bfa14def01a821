import { ERRORS, type ErrorCode, PushError, SealError, StoreDownError } from '@fanfare/core'
import type { z } from 'zod'
import type { Answer } from './route.ts'

const STORE_RETRY_SECONDS = 2
/** Nobody waits for a caller who has gone away. */
export class RequestAborted extends Error {
  override readonly name = 'RequestAborted'
}

/** Whatever was thrown, as an error a caller may see. Unknown ones become INTERNAL, without any detail. */
export function toPushError(error: unknown): PushError {
  if (error instanceof PushError) return error
  if (error instanceof StoreDownError) {
    return new PushError('STORE_DOWN', {}, { retryAfterSeconds: STORE_RETRY_SECONDS, cause: error })
  }
  if (error instanceof SealError) return new PushError('INTERNAL', {}, { cause: error })
  return new PushError('INTERNAL', {}, { cause: error })
}

/** The envelope of tenant routes (docs/wire-api.md §1.6). */
export function envelope(error: PushError, startedAt: number): Answer {
  const now = Date.now()
  const [status, name, exception] = ERRORS[error.code]
  const body = JSON.stringify({
    error: name,
    exception,
    timestamp: now,
    duration: now - startedAt,
    error_description: error.message,
  })
  return { status, body, ...retryAfter(error) }
}

/** RFC 9457, for /admin. */
export function problem(error: PushError, instance: string): Answer {
  const [status] = ERRORS[error.code]
  const body = JSON.stringify({
    type: `urn:fanfare:error:${error.code}`,
    title: titleOf(error.code),
    status,
    detail: error.message,
    instance,
  })
  return { status, body, type: 'application/problem+json', ...retryAfter(error) }
}

const titleOf = (code: ErrorCode): string => code.toLowerCase().replaceAll('_', ' ')

const retryAfter = (error: PushError): Pick<Answer, 'headers'> =>
  error.retryAfterSeconds === undefined ? {} : { headers: { 'Retry-After': String(error.retryAfterSeconds) } }

/** The first thing a schema found wrong, naming the field: under pushMessage a bad message, else a bad parameter. */
export function invalidInput(error: z.ZodError): PushError {
  const issue = error.issues[0]
  const field = issue?.path.join('.') || 'body'
  const detail = (issue?.message ?? 'invalid').replace(/^Invalid input: /, '')
  return new PushError(field.startsWith('pushMessage') ? 'BAD_MESSAGE' : 'BAD_PARAMETER', { field, detail })
}
