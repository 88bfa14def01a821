import type { ApiContext } from '../context.ts'
import { accepted, doorOf } from '../http/pushes.ts'
import { type TenantCall, tenant } from '../http/route.ts'
import { audienceOfLabels, pushAudience } from '../operations/push-audience.ts'
import { parse } from '../wire/parse.ts'
import { label, toScheduled } from '../wire/push.ts'
import { taskIdView } from '../wire/task.ts'

/** docs/wire-api.md §1.1: users that have all of the labels. */
export const pushListLabel = tenant('POST', '/push/list/label', 'json', pushLabels)

export async function pushLabels(ctx: ApiContext, call: TenantCall) {
  const given = parse(label, call.body)
  const audience = await audienceOfLabels(ctx, call.app, given.targets)
  const push = { ...toScheduled(given, ctx.config), audience }
  return accepted(await pushAudience(ctx, call.app, push, doorOf(ctx, call, taskIdView)))
}
