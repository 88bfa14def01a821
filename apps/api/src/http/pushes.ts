import type { ApiContext } from '../context.ts'
import { type Accepted, type Door, onceOf } from '../operations/idempotency.ts'
import { data } from './reply.ts'
import type { Answer, Call } from './route.ts'

/** HTTP as the door of a push: its Idempotency-Key, and `answer` in the envelope of push routes. */
export function doorOf<More extends unknown[] = []>(
  ctx: ApiContext,
  call: Call,
  answer: (taskId: string, ...more: More) => unknown,
): Door<More> {
  const key = call.headers['idempotency-key']
  const once =
    key === undefined ? undefined : onceOf(ctx, [key].flat().join(', '), `${call.method} ${call.path}\n${call.raw}`)
  return { once, encode: (taskId, ...more) => ({ status: 200, body: data(call, answer(taskId, ...more)).body }) }
}

/** A push's answer: the task's id is in a header too (docs/design.md §6). */
export function accepted({ taskId, answer, isRepeat }: Accepted): Answer {
  const { status, body } = answer
  if (isRepeat) return { status, body, headers: { 'Fanfare-Task-Id': taskId, 'Idempotent-Replayed': 'true' } }
  return { status, body, headers: { 'Fanfare-Task-Id': taskId } }
}
