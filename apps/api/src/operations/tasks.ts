import { APP_DEFAULTS, type App, type Audience, type NewTask, newTask, PushError, type Task } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { sent } from '../http/reply.ts'
import type { Answer, TenantCall } from '../http/route.ts'
import { onUnknownOf, type Scheduled } from '../wire/push.ts'
import { startDate } from '../wire/start-date.ts'
import { idempotencyOf, replay } from './idempotency.ts'
import { requireRoom, sendOf } from './push.ts'

const WINDOW_MS = 5 * 60_000

/** A push to labels, a list or everyone: a task that is planned later. Answers its id at once. */
export async function pushAudience(
  ctx: ApiContext,
  call: TenantCall,
  given: Scheduled,
  audience: { of: Audience; answer: (taskId: string) => unknown },
): Promise<Answer> {
  const send = sendOf(ctx, given)
  const idempotency = idempotencyOf(ctx, call)
  requireRoom(ctx)
  const startsAt = given.startDate ? startDate(given.startDate, ctx.config.zone, ctx.clock.in(0)) : undefined
  const taskId = await ctx.ids.next()
  const task = newTask({
    ...{ ...send, id: taskId, appId: call.app.id, lane: 'bulk', audience: audience.of },
    ...{ onUnknown: onUnknownOf(given), createdAt: ctx.clock.in(0), startsAt, ttlMs: ctx.config.taskTtlMs },
    ...{ rate: given.rate ?? undefined, canary: given.canary ?? undefined },
  })
  const answer = sent(call, taskId, audience.answer(taskId))
  const stored = { status: 200, body: answer.body }
  const item = { task, chunks: [], ...(idempotency && { idempotency: { ...idempotency, answer: stored } }) }
  const taken = await createWithinLimits(ctx, call.app, item)
  if (taken && idempotency) return replay(idempotency, taken)
  if (ctx.at) await ctx.at('after-commit')
  if (!startsAt) ctx.background.run(ctx.jobs.enqueuePlan(taskId, { appId: call.app.id }), ctx.log, 'enqueuing a plan')
  if (ctx.at) await ctx.at('before-answer')
  return answer
}

/**
 * Tasks of one app are counted and made one at a time over all processes, so that its limits hold exactly. A replay
 * of an accepted request is answered although the limit is reached by now.
 */
async function createWithinLimits(ctx: ApiContext, app: App, item: NewTask) {
  return ctx.lines.enter(`tasks of ${app.id}`, async () => {
    const earlier = item.idempotency && (await ctx.store.tasks.byKey(app.id, item.idempotency.key))
    if (earlier) return earlier
    await checkLimits(ctx, app)
    if (ctx.at) await ctx.at('before-commit')
    const created = await ctx.shared.create.add(item)
    return created === 'created' ? undefined : created.taken
  })
}

async function checkLimits(ctx: ApiContext, app: App): Promise<void> {
  const maxRunning = app.settings.maxRunningTasks ?? APP_DEFAULTS.maxRunningTasks
  const maxCreated = app.settings.maxTasksPer5Min ?? APP_DEFAULTS.maxTasksPer5Min
  const load = await ctx.store.tasks.load(app.id, ctx.clock.in(-WINDOW_MS))
  if (load.running >= maxRunning) throw new PushError('LIMIT', { detail: `${maxRunning} tasks are running` })
  if (load.created >= maxCreated) {
    throw new PushError('LIMIT', { detail: `${maxCreated} tasks were created within 5 minutes` })
  }
}

/** A task of this app; another app's, and an id that is none, is not found. */
export async function taskOf(ctx: ApiContext, app: App, taskId: string): Promise<Task> {
  const [task] = await ctx.store.tasks.byIds([taskId])
  if (!task || task.appId !== app.id) throw new PushError('NOT_FOUND', { what: 'task' })
  return task
}
