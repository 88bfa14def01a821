import { BusyError, ChannelError } from '@fanfare/core'
import jwt from 'jsonwebtoken'
import { type FreshToken, TokenProvider } from '../../access/access-token.ts'
import { at, type HttpAnswer, HttpError, jsonOf } from '../../http/http.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import type { OpenContext } from '../../pushing/opener.ts'
import type { HuaweiAccount, HuaweiOptions } from './options.ts'

const TOKEN_URL = 'https://oauth-login.cloud.huawei.com/oauth2/v3/token'
const JWT_SECONDS = 3600

/**
 * The access token of a Huawei account, renewed 5 min early: from OAuth with an app secret (at most 1,000 tokens per
 * 5 min and app), or signed by a service account, which v3 demands and v1 accepts.
 */
export function huaweiTokens(context: OpenContext, { id, credential }: HuaweiOptions): TokenProvider {
  return new TokenProvider({
    redis: context.redis,
    log: context.log,
    name: `huawei:${id}`,
    credential: context.credential,
    proof: context.channel.account?.proof,
    earlyMs: 5 * 60_000,
    fetch: async () => ('secret' in credential ? exchange(context, id, credential.secret) : signed(credential)),
  })
}

/** The audience is Huawei's own URL even where the simulator answers in its place. */
function signed({ keyId, subAccount, privateKey }: HuaweiAccount): FreshToken {
  const value = jwt.sign({}, privateKey, {
    algorithm: 'PS256',
    keyid: keyId,
    issuer: subAccount,
    audience: TOKEN_URL,
    expiresIn: JWT_SECONDS,
  })
  return { value, expiresInMs: JWT_SECONDS * 1000 }
}

/** The answer is read as JSON: its raw text escapes slashes, and such a token would be refused. */
async function exchange(context: OpenContext, clientId: string, secret: string): Promise<FreshToken> {
  const answer = await context.http.send({
    method: 'POST',
    url: at(context.vendorUrl, TOKEN_URL),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: secret,
    }).toString(),
  })
  const { access_token: value, expires_in: seconds } = jsonOf(answer.text) ?? {}
  if (answer.status === 200 && typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)) {
    return { value, expiresInMs: (Number(seconds) || 3600) * 1000 }
  }
  throw failureOf(answer)
}

function failureOf({ status, headers, text }: HttpAnswer): Error {
  if (status === 429 || status === 503) {
    const afterMs = retryAfterMs(headers['retry-after'])
    return new BusyError(`access token: HTTP ${status}`, afterMs === undefined ? {} : { afterMs })
  }
  if (status >= 500 || status === 408 || status === 200) return new HttpError(`HTTP ${status}`, false)
  const error = jsonOf(text)?.['sub_error'] ?? jsonOf(text)?.['error']
  return new ChannelError(
    `access token refused: ${error === undefined ? `HTTP ${status}` : String(error).slice(0, 60)}`,
  )
}
