import {
  type App,
  isFinal,
  LEASE_MS,
  type NowResult,
  PushError,
  pushNow,
  type StoredAnswer,
  type Taken,
  type Task,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { type Accepted, type Door, type Once, repeated } from './idempotency.ts'
import type { Send } from './send.ts'

/** Its door answers by what became of each of the user's devices. */
export type SyncDoor = Door<[results: readonly NowResult[]]>

/** A synchronous push to one user: one result per bound device (docs/design.md §6). */
export async function pushSync(
  ctx: ApiContext,
  app: App,
  { userId, ...send }: Send & { userId: string },
  door: SyncDoor,
): Promise<Accepted> {
  const { once, encode } = door
  const push = { ...send, appId: app.id, userId: userId.toLowerCase(), ttlMs: ctx.config.taskTtlMs }
  const done = await pushNow(ctx, once ? { ...push, idempotency: once } : push)
  if ('taken' in done) {
    if (!once) throw new PushError('INTERNAL')
    return again(ctx, done.taken, { once, encode })
  }
  const answer = encode(done.taskId, done.results)
  if (once) await keep(ctx, app, once.key, answer)
  if (ctx.at) await ctx.at('before-answer')
  return { taskId: done.taskId, answer, isRepeat: false }
}

async function keep(ctx: ApiContext, app: App, key: string, answer: StoredAnswer): Promise<void> {
  try {
    await ctx.store.tasks.answer(app.id, key, answer)
  } catch (error) {
    ctx.log.warn({ err: String(error) }, 'the answer of a synchronous push was not kept for replays')
  }
}

/**
 * The key was used before. Where the first request died between sending and answering, its answer is made from the
 * ledger once nobody can be working on it any more.
 */
async function again(ctx: ApiContext, taken: Taken, { once, encode }: SyncDoor & { once: Once }): Promise<Accepted> {
  if (taken.answer || !once.isOf(taken.fingerprint)) return repeated(once, taken)
  const [task] = await ctx.store.tasks.byIds([taken.taskId])
  if (!task || ctx.clock.now() - task.createdAt.getTime() < LEASE_MS) return repeated(once, taken)
  return { taskId: task.id, answer: encode(task.id, await resultsOf(ctx, task)), isRepeat: true }
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
