import type { KeyObject } from 'node:crypto'
import { type Idempotency, PushError, type StoredAnswer } from '@fanfare/core'
import { fingerprintOf } from '../auth/auth.ts'
import type { ApiContext } from '../context.ts'
import { taskHeader } from '../http/reply.ts'
import type { Answer, Call } from '../http/route.ts'

const KEY = /^[\x21-\x7e]{1,255}$/
/** What a store says of a key that was used before. */
export type Taken = { fingerprint: string; taskId: string; answer?: StoredAnswer }

/** What this request asks for; `isOf` tells whether a fingerprint is its own, by whichever master key it was made. */
type Asked = Idempotency & { isOf: (fingerprint: string) => boolean }

/** The caller's Idempotency-Key with the fingerprint of this request; undefined where there is none. */
export function idempotencyOf(ctx: ApiContext, call: Call): Asked | undefined {
  const key = call.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new PushError('BAD_PARAMETER', { field: 'Idempotency-Key', detail: 'must be 1 to 255 printable characters' })
  }
  const text = `${call.method} ${call.path}\n${call.raw}`
  const [first, ...others] = ctx.fingerprintKeys
  const fingerprint = fingerprintOf(first as KeyObject, text)
  const isOf = (taken: string) => taken === fingerprint || others.some((other) => fingerprintOf(other, text) === taken)
  return { key, fingerprint, isOf }
}

/** The first answer again; another request under the same key is refused, one still running asks to wait. */
export function replay(asked: Pick<Asked, 'isOf'>, taken: Taken): Answer {
  if (!asked.isOf(taken.fingerprint)) throw new PushError('KEY_REUSED')
  if (!taken.answer) throw new PushError('KEY_RUNNING', {}, { retryAfterSeconds: 1 })
  return replayed(taken.answer, taken.taskId)
}

export const replayed = (answer: StoredAnswer, taskId: string): Answer => ({
  status: answer.status,
  body: answer.body,
  headers: { ...taskHeader(taskId), 'Idempotent-Replayed': 'true' },
})
