import { cancelTask, changeTask, pauseTask, resumeTask, type Task } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { fetchFigures, fetchResults } from '../operations/task-results.ts'
import { fetchTask } from '../operations/tasks.ts'
import { pathTask } from '../wire/names.ts'
import { cursorPage, fromCursor, nextCursor } from '../wire/page.ts'
import { parse, parseQuery } from '../wire/parse.ts'
import { outcomesOf } from '../wire/status.ts'
import { resultStatus, targetView, taskDetail, taskPatch, taskView } from '../wire/task.ts'

/** docs/wire-api.md §1.1; the shape of the answer is ours. */
export const getTask = tenant('GET', '/push/task/:taskId', 'none', async (ctx, call) => {
  const task = await fetchTask(ctx, call.app, pathTask(call.params))
  return data(call, taskDetail(await fetchFigures(ctx, call.app, task)))
})

/** Ours: a task's rate (members per second, null = none), or its canary before it starts. */
export const patchTask = tenant('PATCH', '/push/task/:taskId', 'json', async (ctx, call) => {
  const task = await fetchTask(ctx, call.app, pathTask(call.params))
  return data(call, taskView(await changeTask(ctx.store, task, parse(taskPatch, call.body))))
})

/** Ours: the targets of one status with their reasons, page by page. */
export const getTaskResults = tenant('GET', '/push/task/:taskId/results', 'none', async (ctx, call) => {
  const task = await fetchTask(ctx, call.app, pathTask(call.params))
  const { limit, cursor } = parseQuery(cursorPage, call.query)
  const { status } = parseQuery(resultStatus, call.query)
  const outcomes = status && outcomesOf(status)
  const found = await fetchResults(ctx, call.app, task, { outcomes, limit, after: fromCursor(cursor) })
  return data(call, found.targets.map(targetView), nextCursor(found))
})

const change = (action: string, run: (ctx: ApiContext, task: Task) => Promise<Task>) =>
  tenant('POST', `/push/task/:taskId/${action}`, 'any', async (ctx, call) => {
    const task = await fetchTask(ctx, call.app, pathTask(call.params))
    return data(call, taskView(await run(ctx, task)))
  })

/** Ours: effective within 2 s. */
export const postTaskPause = change('pause', (ctx, task) => pauseTask(ctx.store, task))
export const postTaskResume = change('resume', (ctx, task) => resumeTask(ctx.store, task, ctx.clock.now()))
export const postTaskCancel = change('cancel', (ctx, task) => cancelTask(ctx.store, task))
