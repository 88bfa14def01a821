import { PushError } from '@fanfare/core'
import { tenant } from '../http/route.ts'
import { pushUsers } from '../operations/push.ts'
import { pushSync } from '../operations/push-sync.ts'
import { parse } from '../wire/parse.ts'
import { single } from '../wire/push.ts'

/** docs/wire-api.md §1.1, §7.6; `async: false` sends at once and takes exactly one user. */
export const pushSingle = tenant('POST', '/push/single', 'json', async (ctx, call) => {
  const given = parse(single, call.body)
  if (given.async !== false) return pushUsers(ctx, call, given, { targets: given.targets, answer })
  const [target, ...others] = given.targets
  if (target === undefined || others.length > 0) throw new PushError('SYNC_ONE_USER', { count: given.targets.length })
  return pushSync(ctx, call, given, { target, withId: true })
})

const answer = (targets: readonly string[]) =>
  targets.map((id) => ({ id, pushStatus: 'ASYNC_SUCCESS', desc: 'async success.' }))
