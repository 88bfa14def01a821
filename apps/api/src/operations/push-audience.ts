import {
  APP_DEFAULTS,
  type App,
  type Audience,
  type Canary,
  type NewTask,
  newTask,
  PushError,
  usersOf,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { type Accepted, type Door, repeated } from './idempotency.ts'
import { requireRoom } from './push.ts'
import type { Send } from './send.ts'

const WINDOW_MS = 5 * 60_000
const MAX_AHEAD_MS = 30 * 24 * 3600_000

/** What pushes that make a task have besides; `rate`: members per second. */
export type Scheduled = Send & {
  startsAt?: Date | undefined
  rate?: number | undefined
  canary?: Omit<Canary, 'state'> | undefined
}

/** A push to labels, a list or everyone: a task that is planned later. Answered at once. */
export async function pushAudience(
  ctx: ApiContext,
  app: App,
  push: Scheduled & { audience: Audience },
  { once, encode }: Door,
): Promise<Accepted> {
  requireRoom(ctx)
  if (push.startsAt) checkStart(ctx, push.startsAt)
  const taskId = await ctx.ids.next()
  const from = { createdAt: ctx.clock.in(0), ttlMs: ctx.config.taskTtlMs }
  const task = newTask({ ...push, id: taskId, appId: app.id, lane: 'bulk', ...from })
  const answer = encode(taskId)
  const item = { task, chunks: [], ...(once && { idempotency: { ...once, answer } }) }
  const taken = await createWithinLimits(ctx, app, item)
  if (taken && once) return repeated(once, taken)
  if (ctx.at) await ctx.at('after-commit')
  if (!push.startsAt) ctx.background.run(ctx.jobs.enqueuePlan(taskId, { appId: app.id }), ctx.log, 'enqueuing a plan')
  if (ctx.at) await ctx.at('before-answer')
  return { taskId, answer, isRepeat: false }
}

/** The intersection of labels that exist; a repeated label counts once. */
export async function audienceOfLabels(ctx: ApiContext, app: App, given: readonly string[]): Promise<Audience> {
  const names = [...new Set(given)]
  const max = app.settings.maxLabelsPerPush ?? APP_DEFAULTS.maxLabelsPerPush
  if (names.length > max) {
    throw new PushError('BAD_PARAMETER', { field: 'audience.labels', detail: `at most ${max} labels` })
  }
  const labels = await ctx.store.labels.byNames(app.id, names)
  const missing = names.find((_, index) => labels[index] === undefined)
  if (missing !== undefined) throw new PushError('LABEL_UNKNOWN', { label: missing })
  return { kind: 'labels', allOf: names }
}

export const audienceOfUsers = (given: readonly string[]): Audience => ({ kind: 'users', userIds: usersOf(given) })

/** The zone is named because callers may have given a time of day, which was read in it. */
function checkStart({ clock, config }: ApiContext, startsAt: Date): void {
  const aheadMs = startsAt.getTime() - clock.in(0).getTime()
  const bad = (detail: string) => new PushError('BAD_PARAMETER', { field: 'task.startsAt', detail })
  if (aheadMs <= 0) throw bad(`must be in the future (zone ${config.zone})`)
  if (aheadMs > MAX_AHEAD_MS) throw bad('must be at most 30 days ahead')
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
