import { APP_DISABLED, type App, PushError, sentenceOfPause } from '@fanfare/core'
import { isSame } from './secrets.ts'
import { audienceOf, type Claims } from './tokens.ts'

/** The token of an Authorization header; none or another scheme is TOKEN_MISSING. */
export function bearerOf(header: string | undefined): string {
  if (header === undefined) throw new PushError('TOKEN_MISSING')
  if (header.slice(0, 7).toLowerCase() !== 'bearer ') throw new PushError('TOKEN_MISSING')
  return header.slice(7).trim()
}

/** The one place where the app of a token is compared with the app of the URL (docs/reliability.md T99). */
export function requireApp(claims: Claims, app: App): void {
  if (claims.appId !== app.id || claims.audience !== audienceOf(app)) throw new PushError('TOKEN_CORRUPT')
  if (app.tokensFrom !== undefined && claims.issuedAt < app.tokensFrom) throw new PushError('TOKEN_REVOKED')
  requireEnabled(app)
}

export function requireEnabled(app: App): void {
  if (app.disabled) throw new PushError('SERVICE_NOT_OPEN', { detail: sentenceOfPause(APP_DISABLED) })
}

/** Without a configured token nobody is the operator. */
export function requireOperator(header: string | undefined, operatorToken: string | undefined): void {
  const given = bearerOf(header)
  if (operatorToken === undefined || !isSame(given, operatorToken)) throw new PushError('TOKEN_CORRUPT')
}
