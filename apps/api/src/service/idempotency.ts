import { type Idempotency, PushError, type StoredAnswer } from '@fanfare/core'
import { fingerprintOf } from '../auth.ts'
import type { ApiContext } from '../context.ts'
import { taskHeader } from '../reply.ts'
import type { Answer, Call } from '../route.ts'

const KEY = /^[\x21-\x7e]{1,255}$/
/** What a store says of a key that was used before. */
export type Taken = { fingerprint: string; taskId: string; answer?: StoredAnswer }

/** The caller's Idempotency-Key with the fingerprint of this request; undefined where there is none. */
export function idempotencyOf(ctx: ApiContext, call: Call): Idempotency | undefined {
  const key = call.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new PushError('BAD_PARAMETER', { field: 'Idempotency-Key', detail: 'must be 1 to 255 printable characters' })
  }
  return { key, fingerprint: fingerprintOf(ctx.fingerprintKey, `${call.method} ${call.path}\n${call.raw}`) }
}

/** The first answer again; another request under the same key is refused, one still running asks to wait. */
export function replay(asked: Idempotency, taken: Taken): Answer {
  if (taken.fingerprint !== asked.fingerprint) throw new PushError('KEY_REUSED')
  if (!taken.answer) throw new PushError('KEY_RUNNING', {}, { retryAfterSeconds: 1 })
  return replayed(taken.answer, taken.taskId)
}

export const replayed = (answer: StoredAnswer, taskId: string): Answer => ({
  status: answer.status,
  body: answer.body,
  headers: { ...taskHeader(taskId), 'Idempotent-Replayed': 'true' },
})
