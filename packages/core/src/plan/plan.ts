import type { Plan, Task } from '../nouns/task.ts'
import type { At } from '../ports/at.ts'
import type { Enqueue } from '../ports/jobs.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store/store.ts'
import type { NewChunk } from '../ports/store/tasks.ts'
import { jobsOf } from '../tasks/enqueue.ts'
import { moveTask } from '../tasks/life.ts'
import { isPlannable } from '../tasks/states.ts'
import { nextPage } from './pages.ts'
import { firstPlan, planChannels } from './ranges.ts'

export type PlanContext = {
  store: Store
  log: Log
  /** Names this process among others. */
  holder: string
  /** Puts the canary's chunks into the queue; all others wait for their window. */
  enqueue: (items: readonly Enqueue[]) => Promise<void>
  /** Asks other workers to plan other ranges. */
  enqueuePlan: (taskId: string, of: { appId: string; part: number }) => Promise<void>
  /** Chunks of the app are waiting. */
  onPage: (appId: string) => void
  /** Asked before each page: whoever stops here leaves the rest to another planner. */
  signal: Pick<AbortSignal, 'aborted'>
  /** Waits for a turn of the event loop to read or write a page of the app in. */
  turn?: (appId: string) => Promise<void>
  /** Waits until a page of the app may be planned; the answer ends its turn. */
  pageTurn?: (appId: string) => Promise<() => void>
  /** Whether others should have their turn before this task goes on. */
  isOver?: () => boolean
  /** Devices per page, a multiple of 1,000. */
  pageSize: number
  at?: At
}

const BEGIN_LEASE_MS = 30_000
const RANGE_LEASE_MS = 10_000
const RENEW_MS = 3000
/** Workers that plan one task side by side: each takes whatever range nobody has. */
const MOST_PLANNERS = 4

/**
 * Plans a task: pages of devices become chunks, each page in one write with the place where it goes on. May be called
 * by any number of workers at once, killed at any point and called again: each device is in exactly one chunk. True
 * where it stopped because its time was over.
 */
export async function plan(ctx: PlanContext, taskId: string): Promise<boolean> {
  const task = await begun(ctx, taskId)
  const known = task?.plan
  if (!task || !known) return false
  for (const [index, range] of known.ranges.entries()) {
    if (!range.done && !ctx.signal.aborted && !ctx.isOver?.()) await planRange(ctx, task, index)
  }
  const isWhole = await complete(ctx, taskId)
  return !isWhole && !ctx.signal.aborted && ctx.isOver?.() === true
}

/** The task with its plan; whoever comes first makes it. */
async function begun(ctx: PlanContext, taskId: string): Promise<Task | undefined> {
  const task = await read(ctx, taskId)
  if (!task || !isPlannable(task)) return undefined
  if (task.plan) return task
  if (!(await ctx.store.lease(`plan:${taskId}`, ctx.holder, BEGIN_LEASE_MS))) return undefined
  const again = await read(ctx, taskId)
  if (!again || !isPlannable(again) || again.plan) return again?.plan ? again : undefined
  await begin(ctx, again)
  return read(ctx, taskId)
}

async function begin(ctx: PlanContext, task: Task): Promise<void> {
  const first = await firstPlan(ctx, task)
  await ctx.at?.('before-plan')
  const startedAt = await ctx.store.now()
  // The lease may have passed while the devices were counted; another's plan, made meanwhile, stays.
  if (!(await ctx.store.lease(`plan:${task.id}`, ctx.holder, BEGIN_LEASE_MS))) return
  await ctx.store.tasks.update(task.id, { plan: first, startedAt, ifState: ['planning', 'sending'], ifNoPlan: true })
  for (let part = 1; part < Math.min(MOST_PLANNERS, first.ranges.length); part++) {
    await ctx.enqueuePlan(task.id, { appId: task.appId, part }).catch(() => undefined)
  }
}

const read = async (ctx: PlanContext, taskId: string): Promise<Task | undefined> =>
  (await ctx.store.tasks.byIds([taskId]))[0]

/** Plans one range to its end, unless another worker has it. */
async function planRange(ctx: PlanContext, task: Task, index: number): Promise<void> {
  const lease = `plan:${task.id}:${index}`
  if (!(await ctx.store.lease(lease, ctx.holder, RANGE_LEASE_MS))) return
  let renewedAt = performance.now()
  let known = (await read(ctx, task.id))?.plan
  while (known && !known.ranges[index]?.done && !ctx.signal.aborted && !ctx.isOver?.()) {
    known = await pageInTurn(ctx, { ...task, plan: known }, index)
    if (performance.now() - renewedAt < RENEW_MS) continue
    if (!(await ctx.store.lease(lease, ctx.holder, RANGE_LEASE_MS))) return
    renewedAt = performance.now()
  }
  await ctx.store.lease(lease, ctx.holder, 0)
}

async function pageInTurn(ctx: PlanContext, task: Task & { plan: Plan }, index: number): Promise<Plan | undefined> {
  const end = await ctx.pageTurn?.(task.appId)
  try {
    return await planPage(ctx, task, index)
  } finally {
    end?.()
  }
}

/** Answers the plan after the page; undefined where the range moved under another planner or the task ended. */
async function planPage(ctx: PlanContext, task: Task & { plan: Plan }, index: number): Promise<Plan | undefined> {
  const range = task.plan.ranges[index]
  if (!range) return undefined
  const source = { store: ctx.store, pageSize: ctx.pageSize }
  await ctx.turn?.(task.appId)
  const page = await nextPage(source, { task, plan: task.plan, range })
  await ctx.at?.('before-page')
  await ctx.turn?.(task.appId)
  if (!(await ctx.store.tasks.addPlanned(task.id, index, range.cursor, page))) return undefined
  await ctx.at?.('after-page')
  await enqueueCanary(ctx, task, page.chunks)
  ctx.onPage(task.appId)
  const members = page.chunks.reduce((sum, chunk) => sum + chunk.members.length, 0)
  const moved = { ...range, cursor: page.cursor, done: page.done, planned: range.planned + members }
  return { ...task.plan, ranges: task.plan.ranges.map((old, place) => (place === index ? moved : old)) }
}

async function enqueueCanary(ctx: PlanContext, task: Task, chunks: readonly NewChunk[]): Promise<void> {
  const planned = chunks.filter((chunk) => chunk.state === 'planned')
  if (planned.length === 0) return
  const channels = new Map((await planChannels(ctx, task.appId)).map((channel) => [channel.id, channel]))
  const items = await jobsOf(task, planned, (id) => channels.get(id))
  await ctx.enqueue(items).catch((error: unknown) => {
    ctx.log.warn({ taskId: task.id, error: String(error) }, 'the canary was not enqueued, the sweeper will')
  })
}

/** Planned whole: the task may be closed once its chunks are done. False where there is more to plan. */
async function complete(ctx: PlanContext, taskId: string): Promise<boolean> {
  const task = await read(ctx, taskId)
  if (!task?.plan?.ranges.every((range) => range.done)) return false
  const whole = { ...task.plan, complete: true }
  await moveTask(ctx.store, task, 'planned', { nowMs: 0, plan: whole })
  await ctx.store.tasks.finish([taskId])
  ctx.log.info({ taskId, ranges: whole.ranges.length }, 'task planned')
  return true
}
