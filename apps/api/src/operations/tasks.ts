import {
  APP_DEFAULTS,
  type App,
  type Audience,
  type Canary,
  type NewTask,
  PushError,
  type Task,
  type TaskState,
} from '@fanfare/core'
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
  const task = bulkTask(ctx, call.app, given, { taskId, startsAt, send, audience: audience.of })
  const answer = sent(call, taskId, audience.answer(taskId))
  const stored = { status: 200, body: answer.body }
  const item = { task, chunks: [], ...(idempotency && { idempotency: { ...idempotency, answer: stored } }) }
  const taken = await createWithinLimits(ctx, call.app, item)
  if (taken && idempotency) return replay(idempotency, taken)
  if (ctx.at) await ctx.at('after-commit')
  if (!startsAt) ctx.background.run(ctx.jobs.enqueuePlan(taskId), ctx.log, 'enqueuing a plan')
  if (ctx.at) await ctx.at('before-answer')
  return answer
}

type Draft = { taskId: string; startsAt: Date | undefined; send: ReturnType<typeof sendOf>; audience: Audience }

function bulkTask(ctx: ApiContext, app: App, given: Scheduled, draft: Draft): NewTask['task'] {
  const createdAt = ctx.clock.in(0)
  const start = draft.startsAt ?? createdAt
  return {
    ...draft.send,
    id: draft.taskId,
    appId: app.id,
    lane: 'bulk',
    audience: draft.audience,
    onUnknown: onUnknownOf(given),
    state: draft.startsAt ? 'scheduled' : 'planning',
    createdAt,
    expiresAt: new Date(start.getTime() + ctx.config.taskTtlMs),
    ...(draft.startsAt && { startsAt: draft.startsAt }),
    ...(given.rate && { rate: given.rate }),
    ...(given.canary && { canary: { ...given.canary, state: 'running' as const } }),
  }
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

const OPEN: readonly TaskState[] = ['scheduled', 'planning', 'sending']

export async function pauseTask(ctx: ApiContext, task: Task): Promise<Task> {
  return changeState(ctx, task, 'paused', OPEN)
}

/** Goes on where it stood. A canary that was held is let through. */
export async function resumeTask(ctx: ApiContext, task: Task): Promise<Task> {
  if (task.canary?.state === 'held') {
    await ctx.store.tasks.update(task.id, { canary: { ...task.canary, state: 'passed' } })
  }
  if (task.state !== 'paused') return taskAgain(ctx, task)
  return changeState(ctx, task, resumedState(task, ctx.clock.now()), ['paused'])
}

function resumedState(task: Task, now: number): TaskState {
  if (task.startsAt && task.startsAt.getTime() > now) return 'scheduled'
  return task.lane === 'bulk' && !task.plan?.complete ? 'planning' : 'sending'
}

export async function cancelTask(ctx: ApiContext, task: Task): Promise<Task> {
  const cancelled = await changeState(ctx, task, 'cancelled', [...OPEN, 'paused'])
  await ctx.store.chunks.cancel(task.id)
  return cancelled
}

export type TaskPatch = { rate?: number | null | undefined; canary?: Omit<Canary, 'state'> | undefined }

export async function updateTask(ctx: ApiContext, task: Task, patch: TaskPatch): Promise<Task> {
  const canary = patch.canary && { ...patch.canary, state: 'running' as const }
  const updated = await ctx.store.tasks.update(task.id, {
    ...(patch.rate !== undefined && { rate: patch.rate }),
    // Judged by the store: the task may start while it is being changed, and a plan without a canary has no first part.
    ...(canary && { canary, ifState: ['scheduled'] }),
  })
  if (canary && !updated) {
    throw new PushError('BAD_PARAMETER', { field: 'canary', detail: 'can be changed only before the task starts' })
  }
  return taskAgain(ctx, task)
}

async function changeState(ctx: ApiContext, task: Task, state: TaskState, ifState: readonly TaskState[]) {
  const changed = await ctx.store.tasks.update(task.id, { state, ifState })
  const now = await taskAgain(ctx, task)
  if (!changed && now.state !== state) {
    throw new PushError('BAD_PARAMETER', { field: 'task', detail: `is ${now.state}, it cannot become ${state}` })
  }
  return now
}

async function taskAgain(ctx: ApiContext, task: Task): Promise<Task> {
  const [now] = await ctx.store.tasks.byIds([task.id])
  if (!now) throw new PushError('NOT_FOUND', { what: 'task' })
  return now
}
