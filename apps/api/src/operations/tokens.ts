import { type App, PushError } from '@fanfare/core'
import { requireEnabled } from '../auth/guards.ts'
import { isSecretOf } from '../auth/secrets.ts'
import { DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS } from '../auth/tokens.ts'
import type { ApiContext } from '../context.ts'

/** `ttlSeconds` 0: the token never expires; absent: `DEFAULT_TTL_SECONDS`. */
export type Credentials = { clientId: string; clientSecret: string; ttlSeconds?: number }
/** `ttlSeconds`: how long it is good; of one that never expires the most there is. */
export type IssuedToken = { token: string; ttlSeconds: number; appId: string }

/**
 * A bearer token for client credentials. Who keeps sending wrong ones is refused for a while; right ones always pass,
 * so that nobody can lock an app out. `caller`: the address the request came from.
 */
export async function issueToken(
  ctx: ApiContext,
  known: App,
  given: Credentials,
  caller: string,
): Promise<IssuedToken> {
  // In this order, and anew: whatever ends tokens or changes the secret afterwards, ends this one too.
  const now = await ctx.store.now()
  const [app = known] = await ctx.store.apps.byIds([known.id])
  const isSecret = isSecretOf(app, given.clientSecret)
  if (given.clientId !== app.clientId || !isSecret) {
    ctx.failures.add(`${app.id} ${caller}`)
    throw new PushError(given.clientId === app.clientId ? 'CLIENT_SECRET_WRONG' : 'CLIENT_ID_WRONG')
  }
  requireEnabled(app)
  const { ttlSeconds = DEFAULT_TTL_SECONDS } = given
  return {
    token: ctx.tokens.sign(app, ttlSeconds, now),
    ttlSeconds: ttlSeconds === 0 ? MAX_TTL_SECONDS : ttlSeconds,
    appId: app.id,
  }
}

/** Ends a token, here at once and in other processes within 5 s. */
export async function revokeToken(ctx: ApiContext, token: string): Promise<void> {
  await ctx.tokens.revoke(ctx.tokens.verify(token))
}
