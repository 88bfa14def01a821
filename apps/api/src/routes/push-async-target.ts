import { accepted, doorOf } from '../http/pushes.ts'
import { tenant } from '../http/route.ts'
import { pushUsers } from '../operations/push.ts'
import { pathUser } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'
import { toOne, toSend } from '../wire/push.ts'

/** docs/wire-api.md §1.1. */
export const pushAsyncTarget = tenant('POST', '/push/async/:target', 'json', async (ctx, call) => {
  const { target } = parse(pathUser, call.params)
  const send = toSend(parse(toOne, call.body), ctx.config)
  return accepted(await pushUsers(ctx, call.app, { ...send, userIds: [target] }, doorOf(ctx, call, answer)))
})

const answer = () => [{ pushStatus: 'ASYNC_SUCCESS', data: '', desc: 'success' }]
