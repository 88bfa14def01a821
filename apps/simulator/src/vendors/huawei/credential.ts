import { nowMs } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import { readJwt } from '../jwt.ts'
import { answerTokenCall, json } from '../token-endpoint.ts'

const AUDIENCE = 'https://oauth-login.cloud.huawei.com/oauth2/v3/token'
const MAX_LIFE_SECONDS = 86_400
const AUTHENTICATION_ERROR = '80200001'
const TOKEN_EXPIRED = '80200003'
const JWT_EXPIRED = '80200005'
const JWT_TOO_LONG = '80300036'

/** The code of what is wrong with the credential; v3 takes service-account JWTs only. */
export function checkCredential(context: Context, exchange: Exchange, version: string): string | undefined {
  const header = exchange.headers['authorization']
  const token = typeof header === 'string' && /^bearer /i.test(header) ? header.slice(7).trim() : ''
  if (token.split('.').length === 3) return checkJwt(context, token)
  if (version === 'v3' && !token.startsWith('ok-')) return AUTHENTICATION_ERROR
  const state = context.accessTokens.huawei.stateOf(token)
  if (state === 'valid') return undefined
  return state === 'expired' ? TOKEN_EXPIRED : AUTHENTICATION_ERROR
}

/** `POST /oauth2/v3/token`, client credentials. The raw answer escapes slashes: it must be parsed as JSON. */
export function grantHuaweiToken(context: Context, exchange: Exchange): void {
  const form = new URLSearchParams(exchange.body)
  const account = form.get('client_id') ?? ''
  const seconds = context.settings.oauthTokenSeconds
  const denied = json(403, { error: 1101, sub_error: 20_044, error_description: 'invalid client' })
  const isKnown = form.get('client_secret') && account !== '' && !form.get('client_secret')?.startsWith('bad-')
  const isRequest = exchange.method === 'POST' && form.get('grant_type') === 'client_credentials'
  const granted = () => {
    if (!isRequest) return json(400, { error: 1102, sub_error: 20_001, error_description: 'invalid grant_type' })
    return isKnown ? tokenReply(context.accessTokens.huawei.issue(account, seconds), seconds) : denied
  }
  const down = json(503, { error: 1203, error_description: 'Service unavailable' })
  answerTokenCall(context, exchange, { vendor: 'huawei', account }, { granted, denied, down })
}

function tokenReply(token: string, seconds: number): Reply {
  const reply = json(200, { access_token: token, expires_in: seconds, token_type: 'Bearer' })
  return { ...reply, body: reply.body.replaceAll('/', '\\/') }
}

function checkJwt(context: Context, token: string): string | undefined {
  const jwt = readJwt(context, token, 'PS256')
  if (!jwt?.genuine || typeof jwt.header['kid'] !== 'string') return AUTHENTICATION_ERROR
  const { iss, aud, iat, exp } = jwt.claims
  if (typeof iss !== 'string' || aud !== AUDIENCE || typeof iat !== 'number' || typeof exp !== 'number') {
    return AUTHENTICATION_ERROR
  }
  if (exp - iat > MAX_LIFE_SECONDS) return JWT_TOO_LONG
  return exp < nowMs() / 1000 ? JWT_EXPIRED : undefined
}
