import { type App, PushError, type Task } from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** A task of this app; another app's is not found. */
export async function fetchTask(ctx: ApiContext, app: App, taskId: string): Promise<Task> {
  const [task] = await ctx.store.tasks.byIds([taskId])
  if (!task || task.appId !== app.id) throw new PushError('NOT_FOUND', { what: 'task' })
  return task
}

/** Newest first; the first page is 0. */
export const fetchTasks = (ctx: ApiContext, app: App, asked: { page: number; size: number }) =>
  ctx.store.tasks.page(app.id, asked)
