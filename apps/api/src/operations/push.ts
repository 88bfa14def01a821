import {
  type App,
  chunksOfUsers,
  DEFAULT_STRATEGY,
  type Idempotency,
  jobsOf,
  type Message,
  type NewChunk,
  type NewTask,
  newTask,
  PushError,
  type Route,
  routeOf,
  type Target,
  targetsOf,
  withWaiting,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { sent } from '../http/reply.ts'
import type { Answer, TenantCall } from '../http/route.ts'
import { toMessage } from '../wire/message.ts'
import { type Common, onUnknownOf } from '../wire/push.ts'
import { idempotencyOf, replay } from './idempotency.ts'

/** The message and the route of a send; routes that need the online channel are refused before anything is done. */
export function sendOf(ctx: ApiContext, given: Common): { message: Message; route: Route } {
  const strategy = given.strategy ?? DEFAULT_STRATEGY
  if (strategy !== DEFAULT_STRATEGY) {
    const detail = `strategy ${strategy} needs the online channel, which does not exist yet; use strategy ${DEFAULT_STRATEGY}`
    throw new PushError('SERVICE_NOT_OPEN', { detail })
  }
  return { message: toMessage(given.pushMessage, ctx.config.hanWidth), route: routeOf(strategy) }
}

const ROOM_AGAIN_SECONDS = 5

/** Refuses what would have to be queued while Redis is full; workers make room (docs/reliability.md T16). */
export function requireRoom({ memory }: Pick<ApiContext, 'memory'>): void {
  if (memory.isFull) throw new PushError('QUEUE_FULL', {}, { retryAfterSeconds: ROOM_AGAIN_SECONDS })
}

/**
 * An asynchronous push to users: accepted when the store has it, then enqueued without waiting (docs/design.md §6).
 * What Redis does not take the sweeper brings back. `answer` makes the answer's data, one element per given target.
 */
export async function pushUsers(
  ctx: ApiContext,
  call: TenantCall,
  given: Common,
  audience: { targets: readonly string[]; answer: (targets: readonly string[]) => unknown },
): Promise<Answer> {
  const send = sendOf(ctx, given)
  const idempotency = idempotencyOf(ctx, call)
  requireRoom(ctx)
  const earlier = await enterBacklog(ctx, call.app, idempotency)
  if (earlier && idempotency) return replay(idempotency, earlier)
  const targets = await resolveTargets(ctx, call.app, audience.targets)
  const chunks = await withWaiting(chunksOfUsers(targets), (id) => ctx.channels.get(id))
  const taskId = await ctx.ids.next()
  const task = newTask(
    {
      ...{ ...send, id: taskId, appId: call.app.id, lane: 'single', onUnknown: onUnknownOf(given) },
      audience: { kind: 'users', userIds: targets.map(({ userId }) => userId) },
      ...{ createdAt: ctx.clock.in(0), ttlMs: ctx.config.taskTtlMs },
    },
    chunks,
  )
  const answer = sent(call, taskId, audience.answer(audience.targets))
  const stored = { status: answer.status ?? 200, body: answer.body }
  if (ctx.at) await ctx.at('before-commit')
  const created = await ctx.shared.create.add({
    task,
    chunks,
    ...(idempotency && { idempotency: { ...idempotency, answer: stored } }),
  })
  if (idempotency && created !== 'created') return replay(idempotency, created.taken)
  if (ctx.at) await ctx.at('after-commit')
  ctx.background.run(enqueue(ctx, task, chunks), ctx.log, 'enqueuing jobs')
  if (ctx.at) await ctx.at('before-answer')
  return answer
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

/** Ids fold to lower case and a repeated target is one. */
function resolveTargets(ctx: ApiContext, app: App, given: readonly string[]): Promise<Target[]> {
  const userIds = given.length === 1 ? [foldId(given[0])] : [...new Set(given.map(foldId))]
  return targetsOf(ctx.shared.devices, app.id, userIds)
}

const foldId = (given: string | undefined): string => (given ?? '').toLowerCase()

/** Best effort after the commit. */
async function enqueue(ctx: ApiContext, task: NewTask['task'], chunks: readonly NewChunk[]): Promise<void> {
  if (ctx.at) await ctx.at('before-enqueue')
  const items = await jobsOf(task, chunks, (id) => ctx.channels.get(id))
  if (items.length > 0) await ctx.jobs.enqueue(items)
  if (ctx.at) await ctx.at('after-enqueue')
}
