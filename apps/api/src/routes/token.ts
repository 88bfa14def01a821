import { bearerOf } from '../auth/guards.ts'
import { data } from '../http/reply.ts'
import { type AppRoute, tenant } from '../http/route.ts'
import { issueToken, revokeToken } from '../operations/tokens.ts'
import { toCredentials, tokenView } from '../wire/token.ts'

/** docs/wire-api.md §5.1. The SDK sends JSON without saying so: any Content-Type is read as JSON. */
export const postToken: AppRoute = {
  policy: 'app',
  method: 'POST',
  path: '/token',
  body: 'any',
  async handle(ctx, call) {
    const issued = await issueToken(ctx, call.app, toCredentials(call.body), call.caller)
    return { body: JSON.stringify(tokenView(issued)) }
  },
}

/** Ours: revokes the token that the call came with; effective everywhere within 5 s. */
export const deleteToken = tenant('DELETE', '/token', 'none', async (ctx, call) => {
  await revokeToken(ctx, bearerOf(call.headers.authorization))
  return data(call, 'success')
})
