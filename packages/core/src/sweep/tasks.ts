import type { Task } from '../nouns/task.ts'
import { expireTask, moveTask } from '../tasks/life.ts'
import { isDue, isPlannable } from '../tasks/states.ts'
import type { CanaryJudge } from './canary.ts'
import type { SweepContext } from './context.ts'

/** Starts what is due, has planned what is stuck, judges canaries and closes what is done or expired. */
export async function sweepTasks(ctx: SweepContext, judge: CanaryJudge, limit: number): Promise<void> {
  const tasks = await ctx.store.tasks.toSweep(limit)
  if (tasks.length === 0) return
  const nowMs = (await ctx.store.now()).getTime()
  const toFinish: string[] = []
  for (const task of tasks) {
    await sweepTask(ctx, task, nowMs)
    await judge.look(task)
    if (task.state !== 'scheduled') toFinish.push(task.id)
  }
  await ctx.store.tasks.finish(toFinish)
}

async function sweepTask(ctx: SweepContext, task: Task, nowMs: number): Promise<void> {
  if (task.expiresAt.getTime() <= nowMs) await expireTask(ctx.store, task)
  else if (task.state === 'scheduled') await start(ctx, task, nowMs)
  else if (isPlannable(task)) await askForPlan(ctx, task)
}

/** By the store's clock, whatever the workers' say. */
async function start(ctx: SweepContext, task: Task, nowMs: number): Promise<void> {
  if (!isDue(task, nowMs)) return
  const started = await moveTask(ctx.store, task, 'start', { nowMs, startedAt: new Date(nowMs) })
  if (started && task.lane === 'bulk') await askForPlan(ctx, task)
}

/** Adds nothing while the task's plan job stands. */
async function askForPlan(ctx: SweepContext, { id: taskId, appId }: Task): Promise<void> {
  if (ctx.memory.isHigh) return
  await ctx.jobs.enqueuePlan(taskId, { appId }).catch((error: unknown) => {
    ctx.log.warn({ taskId, error: String(error) }, 'a plan job was not enqueued, the next pass tries again')
  })
}
