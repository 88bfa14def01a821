import { tenant } from '../http/route.ts'
import { pushUsers } from '../operations/push.ts'
import { pathUser } from '../wire/names.ts'
import { parse } from '../wire/parse.ts'
import { toOne } from '../wire/push.ts'

/** docs/wire-api.md §1.1. */
export const pushAsyncTarget = tenant('POST', '/push/async/:target', 'json', async (ctx, call) => {
  const { target } = parse(pathUser, call.params)
  return pushUsers(ctx, call, parse(toOne, call.body), { targets: [target], answer })
})

const answer = () => [{ pushStatus: 'ASYNC_SUCCESS', data: '', desc: 'success' }]
