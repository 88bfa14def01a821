import type { Plan, Task } from '@fanfare/core'
import type { WorkerContext } from '../context.ts'
import { judgeCanary } from './canary.ts'

/** Starts what is due, has planned what is stuck, judges canaries and closes what is done or expired. */
export async function sweepTasks(ctx: WorkerContext, limit: number): Promise<void> {
  const tasks = await ctx.store.tasks.toSweep(limit)
  if (tasks.length === 0) return
  const now = (await ctx.store.now()).getTime()
  const toFinish: string[] = []
  for (const task of tasks) {
    await sweepTask(ctx, task, now)
    if (task.state !== 'scheduled') toFinish.push(task.id)
  }
  await ctx.store.tasks.finish(toFinish)
}

async function sweepTask(ctx: WorkerContext, task: Task, now: number): Promise<void> {
  if (task.expiresAt.getTime() <= now) await closeExpired(ctx, task)
  else if (task.state === 'scheduled') await release(ctx, task, now)
  else if (isUnplanned(task)) await askForPlan(ctx, task.id)
  if (task.canary?.state === 'running' && task.plan) await judgeCanary(ctx, task, task.plan)
}

const isUnplanned = (task: Task): boolean =>
  task.lane === 'bulk' && (task.state === 'planning' || (task.state === 'sending' && task.plan?.complete === false))

/** By the store's clock, whatever the workers' say. */
async function release(ctx: WorkerContext, task: Task, now: number): Promise<void> {
  if (!task.startsAt || task.startsAt.getTime() > now) return
  const bulk = task.lane === 'bulk'
  const state = bulk ? 'planning' : 'sending'
  const started = await ctx.store.tasks.update(task.id, { state, startedAt: new Date(now), ifState: ['scheduled'] })
  if (started && bulk) await askForPlan(ctx, task.id)
}

/** Adds nothing while the task's plan job stands. */
async function askForPlan(ctx: WorkerContext, taskId: string): Promise<void> {
  if (ctx.memory.isHigh) return
  await ctx.jobs.enqueuePlan(taskId).catch((error: unknown) => {
    ctx.log.warn({ taskId, error: String(error) }, 'a plan job was not enqueued, the next pass tries again')
  })
}

const NOTHING: Plan = { upToDeviceId: '0', ranges: [], complete: true }

/** Nothing more is planned or sent; its open members become `expired` and it can be finished. */
async function closeExpired(ctx: WorkerContext, task: Task): Promise<void> {
  if (task.state === 'sending' && task.plan?.complete !== false) return
  const ranges = (task.plan ?? NOTHING).ranges.map((range) => ({ ...range, done: true }))
  const plan = task.lane === 'bulk' ? { plan: { ...(task.plan ?? NOTHING), ranges, complete: true } } : {}
  await ctx.store.tasks.update(task.id, { state: 'sending', ...plan, ifState: [task.state] })
}
