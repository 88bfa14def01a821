import { tenant } from '../http/route.ts'
import { pushSync } from '../operations/push-sync.ts'
import { pathUser } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'
import { toOne } from '../wire/push.ts'

/** docs/wire-api.md §1.1: the vendors' answers, one element per bound device. */
export const pushSyncTarget = tenant('POST', '/push/sync/:target', 'json', async (ctx, call) => {
  const { target } = parse(pathUser, call.params)
  return pushSync(ctx, call, parse(toOne, call.body), { target, withId: false })
})
