import { bare } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { pushLabels } from '../operations/push-labels.ts'
import { pushAudience } from '../operations/tasks.ts'
import { parse } from '../wire/parse.ts'
import { label, list } from '../wire/push.ts'

/** docs/wire-api.md §1.1, §7.1: users as a task; with `pushFunc: "LABEL"` the label push. */
export const pushList = tenant('POST', '/push/list', 'json', async (ctx, call) => {
  const isLabelPush = (call.body as { pushFunc?: unknown } | null | undefined)?.pushFunc === 'LABEL'
  if (isLabelPush) return pushLabels(ctx, call, parse(label, call.body))
  const given = parse(list, call.body)
  const userIds = [...new Set(given.targets.map((target) => target.toLowerCase()))]
  return pushAudience(ctx, call, given, { of: { kind: 'users', userIds }, answer: (id) => ({ taskId: bare(id) }) })
})
