import { isFinal, LEASE_MS, type NowResult, PushError, pushNow, type Task } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { sent } from '../http/reply.ts'
import type { Answer, TenantCall } from '../http/route.ts'
import { type Common, onUnknownOf } from '../wire/push.ts'
import { syncItem } from '../wire/status.ts'
import { idempotencyOf, replay, replayed, type Taken } from './idempotency.ts'
import { sendOf } from './push.ts'

type Item = (result: NowResult) => unknown

/**
 * A synchronous push to one user: one element per bound device (docs/design.md §6). `withId` adds the user's id to
 * each.
 */
export async function pushSync(
  ctx: ApiContext,
  call: TenantCall,
  given: Common,
  user: { target: string; withId: boolean },
): Promise<Answer> {
  const send = sendOf(ctx, given)
  const idempotency = idempotencyOf(ctx, call)
  const item: Item = (result) => syncItem(result, user.withId ? user.target : undefined)
  const push = {
    ...send,
    appId: call.app.id,
    userId: user.target.toLowerCase(),
    onUnknown: onUnknownOf(given),
    ttlMs: ctx.config.taskTtlMs,
    ...(idempotency && { idempotency }),
  }
  const done = await pushNow(ctx, push)
  if ('taken' in done) return again(ctx, call, { taken: done.taken, item, isOf: idempotency?.isOf ?? (() => false) })
  const answer = sent(call, done.taskId, done.results.map(item))
  if (idempotency) await keep(ctx, call, idempotency.key, answer)
  if (ctx.at) await ctx.at('before-answer')
  return answer
}

async function keep(ctx: ApiContext, call: TenantCall, key: string, answer: Answer): Promise<void> {
  try {
    await ctx.store.tasks.answer(call.app.id, key, { status: 200, body: answer.body })
  } catch (error) {
    ctx.log.warn({ err: String(error) }, 'the answer of a synchronous push was not kept for replays')
  }
}

/**
 * The key was used before. Where the first request died between sending and answering, its answer is made from the
 * ledger once nobody can be working on it any more.
 */
async function again(
  ctx: ApiContext,
  call: TenantCall,
  first: { taken: Taken; item: Item; isOf: (fingerprint: string) => boolean },
): Promise<Answer> {
  const { taken, item, isOf } = first
  if (taken.answer || !isOf(taken.fingerprint)) return replay({ isOf }, taken)
  const [task] = await ctx.store.tasks.byIds([taken.taskId])
  if (!task || ctx.clock.now() - task.createdAt.getTime() < LEASE_MS) return replay({ isOf }, taken)
  const answer = sent(call, task.id, (await resultsOf(ctx, task)).map(item))
  return replayed({ status: 200, body: answer.body }, task.id)
}

async function resultsOf(ctx: ApiContext, task: Task): Promise<NowResult[]> {
  const chunks = await ctx.store.chunks.ofTask(task.id, { limit: 100 })
  if (chunks.length === 0) throw new PushError('NOT_FOUND', { what: 'task' })
  return chunks.flatMap((chunk) => {
    const reasons = new Map(Object.entries(chunk.reasons).flatMap(([reason, list]) => list.map((i) => [i, reason])))
    return chunk.outcomes.map((outcome, index): NowResult => {
      const reason = reasons.get(index)
      if (!isFinal(outcome)) return { outcome: 'unknown', reason: 'the request ended before the vendor answered' }
      return { outcome, ...(typeof reason === 'string' && { reason }) }
    })
  })
}
