import { createHmac, type KeyObject } from 'node:crypto'
import { type Idempotency, PushError, type StoredAnswer, type Taken } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

const KEY = /^[\x21-\x7e]{1,255}$/

/** A request that is done once however often it is sent; `isOf`: whether a fingerprint is of this same request. */
export type Once = Idempotency & { isOf(fingerprint: string): boolean }
/**
 * What the door that a push came through brings along. `encode` makes what it answers once the push is accepted (`More`:
 * what is known by then); with a key that is kept, and answered again to whoever repeats the request.
 */
export type Door<More extends unknown[] = []> = {
  once: Once | undefined
  encode(taskId: string, ...more: More): StoredAnswer
}
/** A push that was accepted; `isRepeat`: when its key was used first, and `answer` is what was answered then. */
export type Accepted = { taskId: string; answer: StoredAnswer; isRepeat: boolean }

/** `text`: all that says what the request asks for. Only a keyed hash of it is kept. */
export function onceOf({ fingerprintKeys }: Pick<ApiContext, 'fingerprintKeys'>, key: string, text: string): Once {
  if (!KEY.test(key)) {
    throw new PushError('BAD_PARAMETER', { field: 'idempotencyKey', detail: 'must be 1 to 255 printable characters' })
  }
  const [first, ...others] = fingerprintKeys
  const fingerprint = fingerprintOf(first as KeyObject, text)
  const isOf = (taken: string) => taken === fingerprint || others.some((other) => fingerprintOf(other, text) === taken)
  return { key, fingerprint, isOf }
}

/** Keyed, so that short requests cannot be guessed from it (docs/reliability.md §3.3). */
const fingerprintOf = (key: KeyObject, text: string): string => createHmac('sha256', key).update(text).digest('hex')

/** The first answer again; another request under the same key is refused, one still running asks to wait. */
export function repeated(once: Once, { fingerprint, taskId, answer }: Taken): Accepted {
  if (!once.isOf(fingerprint)) throw new PushError('KEY_REUSED')
  if (!answer) throw new PushError('KEY_RUNNING', {}, { retryAfterSeconds: 1 })
  return { taskId, answer, isRepeat: true }
}
