import { bare } from '../http/reply.ts'
import { tenant } from '../http/route.ts'
import { pushAudience } from '../operations/tasks.ts'
import { parse } from '../wire/parse.ts'
import { broadcast } from '../wire/push.ts'

/** docs/wire-api.md §1.1, §7.5: everyone of the app. The answer's data is the bare id. */
export const pushTask = tenant('POST', '/push/task', 'json', (ctx, call) =>
  pushAudience(ctx, call, parse(broadcast, call.body), { of: { kind: 'everyone' }, answer: bare }),
)
