import { data } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { fetchTasks } from '../operations/tasks.ts'
import { numberedPage } from '../wire/page.ts'
import { parseQuery } from '../wire/parse.ts'
import { taskView } from '../wire/task.ts'

/** docs/wire-api.md §1.1: tasks of the app, newest first; the shape of the answer is ours. */
export const getTasks = tenant('GET', '/push/tasks', 'none', async (ctx, call) => {
  const { page, size } = parseQuery(numberedPage, call.query)
  const { tasks, total } = await fetchTasks(ctx, call.app, { page, size })
  return data(call, { tasks: tasks.map(taskView), page, size, total })
})
