import { type NowResult, PushError } from '@fanfare/core'
import { accepted, doorOf } from '../http/pushes.ts'
import { tenant } from '../http/route.ts'
import { pushUsers } from '../operations/push.ts'
import { pushSync } from '../operations/push-sync.ts'
import { parse } from '../wire/parse.ts'
import { single, toSend } from '../wire/push.ts'
import { syncItem } from '../wire/status.ts'

/** docs/wire-api.md §1.1, §7.6; `async: false` sends at once and takes exactly one user. */
export const pushSingle = tenant('POST', '/push/single', 'json', async (ctx, call) => {
  const given = parse(single, call.body)
  const { targets } = given
  if (given.async !== false) {
    const send = toSend(given, ctx.config)
    const door = doorOf(ctx, call, () =>
      targets.map((id) => ({ id, pushStatus: 'ASYNC_SUCCESS', desc: 'async success.' })),
    )
    return accepted(await pushUsers(ctx, call.app, { ...send, userIds: targets }, door))
  }
  const [userId, ...others] = targets
  if (userId === undefined || others.length > 0) throw new PushError('SYNC_ONE_USER', { count: targets.length })
  const send = toSend(given, ctx.config)
  const door = doorOf(ctx, call, (_, results: readonly NowResult[]) => results.map((each) => syncItem(each, userId)))
  return accepted(await pushSync(ctx, call.app, { ...send, userId }, door))
})
