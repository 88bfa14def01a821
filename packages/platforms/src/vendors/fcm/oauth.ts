import { BusyError, ChannelError } from '@fanfare/core'
import jwt from 'jsonwebtoken'
import { type FreshToken, TokenProvider } from '../../access/access-token.ts'
import { at, type HttpAnswer, HttpError, jsonOf } from '../../http/http.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import type { OpenContext } from '../../pushing/opener.ts'
import type { ServiceAccount } from './options.ts'

const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'
/** Less than the time one process may hold the lock of the fleet. */
const DEADLINE_MS = 8000
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** OAuth access tokens of a service account (RFC 7523), renewed 5 min early as firebase-admin does. */
export function googleTokens(context: OpenContext, account: ServiceAccount): TokenProvider {
  return new TokenProvider({
    redis: context.redis,
    log: context.log,
    name: `fcm:${account.projectId}`,
    credential: context.credential,
    earlyMs: 5 * 60_000,
    fetch: () => exchange(context, account),
  })
}

async function exchange(context: OpenContext, account: ServiceAccount): Promise<FreshToken> {
  const answer = await context.http.send({
    method: 'POST',
    deadlineMs: DEADLINE_MS,
    url: at(context.vendorUrl, TOKEN_URL),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ grant_type: GRANT, assertion: assertionOf(account) }).toString(),
  })
  const { access_token: value, expires_in: seconds } = jsonOf(answer.text) ?? {}
  if (answer.status === 200 && typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) {
    return { value, expiresInMs: (Number(seconds) || 3599) * 1000 }
  }
  throw failureOf(answer)
}

/** The audience is Google's own URL even where the simulator answers in its place. */
function assertionOf({ clientEmail, privateKey, keyId }: ServiceAccount): string {
  const header = keyId === undefined ? {} : { keyid: keyId }
  return jwt.sign({ scope: SCOPE }, privateKey, {
    algorithm: 'RS256',
    issuer: clientEmail,
    audience: TOKEN_URL,
    expiresIn: 3600,
    ...header,
  })
}

function failureOf({ status, headers, text }: HttpAnswer): Error {
  if (status === 429) {
    const afterMs = retryAfterMs(headers['retry-after'])
    return new BusyError('access token: HTTP 429', afterMs === undefined ? {} : { afterMs })
  }
  if (status >= 500 || status === 408 || status === 200) return new HttpError(`HTTP ${status}`, false)
  const error = jsonOf(text)?.['error']
  return new ChannelError(`access token refused: ${typeof error === 'string' ? error.slice(0, 60) : `HTTP ${status}`}`)
}
