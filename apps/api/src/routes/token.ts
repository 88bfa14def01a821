import { bearerOf } from '../auth/auth.ts'
import { data } from '../http/reply.ts'
import { type AppRoute, tenant } from '../http/route.ts'
import { issueToken } from '../operations/apps.ts'
import { toCredentials } from '../wire/token.ts'

/** docs/wire-api.md §5.1. The SDK sends JSON without saying so: any Content-Type is read as JSON. */
export const postToken: AppRoute = {
  policy: 'app',
  method: 'POST',
  path: '/token',
  body: 'any',
  async handle(ctx, call) {
    const credentials = toCredentials(call.body)
    return { body: JSON.stringify(await issueToken(ctx, call.app, credentials, call.caller)) }
  },
}

/** Ours: revokes the token that the call came with; effective everywhere within 5 s. */
export const deleteToken = tenant('DELETE', '/token', 'none', async (ctx, call) => {
  await ctx.tokens.revoke(ctx.tokens.verify(bearerOf(call.headers.authorization)))
  return data(call, 'success')
})
