import {
  type App,
  chunksOfUsers,
  type Idempotency,
  jobsOf,
  type NewChunk,
  type NewTask,
  newTask,
  PushError,
  targetsOf,
  usersOf,
  withWaiting,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { type Accepted, type Door, repeated } from './idempotency.ts'
import type { Send } from './send.ts'

const ROOM_AGAIN_SECONDS = 5

/** Refuses what would have to be queued while Redis is full; workers make room (docs/reliability.md T16). */
export function requireRoom({ memory }: Pick<ApiContext, 'memory'>): void {
  if (memory.isFull) throw new PushError('QUEUE_FULL', {}, { retryAfterSeconds: ROOM_AGAIN_SECONDS })
}

/**
 * An asynchronous push to users: accepted when the store has it, then enqueued without waiting (docs/design.md §6).
 * What Redis does not take the sweeper brings back.
 */
export async function pushUsers(
  ctx: ApiContext,
  app: App,
  push: Send & { userIds: readonly string[] },
  { once, encode }: Door,
): Promise<Accepted> {
  requireRoom(ctx)
  const earlier = await enterBacklog(ctx, app, once)
  if (earlier && once) return repeated(once, earlier)
  const targets = await targetsOf(ctx.shared.devices, app.id, usersOf(push.userIds))
  const chunks = await withWaiting(chunksOfUsers(targets), (id) => ctx.channels.get(id))
  const taskId = await ctx.ids.next()
  const task = newTask(
    {
      id: taskId,
      appId: app.id,
      lane: 'single',
      audience: { kind: 'users', userIds: targets.map(({ userId }) => userId) },
      message: push.message,
      route: push.route,
      onUnknown: push.onUnknown,
      createdAt: ctx.clock.in(0),
      ttlMs: ctx.config.taskTtlMs,
    },
    chunks,
  )
  const answer = encode(taskId)
  if (ctx.at) await ctx.at('before-commit')
  const created = await ctx.shared.create.add({ task, chunks, ...(once && { idempotency: { ...once, answer } }) })
  if (once && created !== 'created') return repeated(once, created.taken)
  if (ctx.at) await ctx.at('after-commit')
  ctx.background.run(enqueue(ctx, task, chunks), ctx.log, 'enqueuing jobs')
  if (ctx.at) await ctx.at('before-answer')
  return { taskId, answer, isRepeat: false }
}

/** A replay of an accepted request is answered although the backlog is full by now. */
function enterBacklog(ctx: ApiContext, app: App, idempotency: Idempotency | undefined) {
  try {
    ctx.backlogs.add(app)
    return undefined
  } catch (refusal) {
    if (!idempotency) throw refusal
    return ctx.store.tasks.byKey(app.id, idempotency.key).then((taken) => {
      if (taken) return taken
      throw refusal
    })
  }
}

/** Best effort after the commit. */
async function enqueue(ctx: ApiContext, task: NewTask['task'], chunks: readonly NewChunk[]): Promise<void> {
  if (ctx.at) await ctx.at('before-enqueue')
  const items = await jobsOf(task, chunks, (id) => ctx.channels.get(id))
  if (items.length > 0) await ctx.jobs.enqueue(items)
  if (ctx.at) await ctx.at('after-enqueue')
}
