import { accepted, doorOf } from '../http/pushes.ts'
import { tenant } from '../http/route.ts'
import { pushAudience } from '../operations/push-audience.ts'
import { parse } from '../wire/parse.ts'
import { broadcast, toScheduled } from '../wire/push.ts'
import { bare } from '../wire/task.ts'

/** docs/wire-api.md §1.1, §7.5: everyone of the app. The answer's data is the bare id. */
export const pushTask = tenant('POST', '/push/task', 'json', async (ctx, call) => {
  const push = toScheduled(parse(broadcast, call.body), ctx.config)
  return accepted(
    await pushAudience(ctx, call.app, { ...push, audience: { kind: 'everyone' } }, doorOf(ctx, call, bare)),
  )
})
