import { accepted, doorOf } from '../http/pushes.ts'
import { tenant } from '../http/route.ts'
import { audienceOfUsers, pushAudience } from '../operations/push-audience.ts'
import { parse } from '../wire/parse.ts'
import { list, toScheduled } from '../wire/push.ts'
import { taskIdView } from '../wire/task.ts'
import { pushLabels } from './push-list-label.ts'

/** docs/wire-api.md §1.1, §7.1: users as a task; with `pushFunc: "LABEL"` the label push. */
export const pushList = tenant('POST', '/push/list', 'json', async (ctx, call) => {
  const isLabelPush = (call.body as { pushFunc?: unknown } | null | undefined)?.pushFunc === 'LABEL'
  if (isLabelPush) return pushLabels(ctx, call)
  const given = parse(list, call.body)
  const push = { ...toScheduled(given, ctx.config), audience: audienceOfUsers(given.targets) }
  return accepted(await pushAudience(ctx, call.app, push, doorOf(ctx, call, taskIdView)))
})
