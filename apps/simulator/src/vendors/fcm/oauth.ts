import { nowMs } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import type { Jwt } from '../jwt.ts'
import { readJwt } from '../jwt.ts'
import { answerTokenCall, json } from '../token-endpoint.ts'

/** https://developers.google.com/identity/protocols/oauth2/service-account */
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const AUDIENCE = 'https://oauth2.googleapis.com/token'
const SCOPES = ['https://www.googleapis.com/auth/firebase.messaging', 'https://www.googleapis.com/auth/cloud-platform']
const MAX_LIFE_SECONDS = 3600
const CLOCK_SKEW_SECONDS = 300

/** `POST /token`: changes a signed assertion of a service account for an access token. */
export function grantGoogleToken(context: Context, exchange: Exchange): void {
  const form = new URLSearchParams(exchange.body)
  const jwt = readJwt(context, form.get('assertion') ?? '', 'RS256')
  const account = String(jwt?.claims['iss'] ?? '')
  const problem = findProblem(exchange, form, jwt)
  const seconds = context.settings.oauthTokenSeconds
  const granted = () =>
    problem ??
    json(200, {
      access_token: context.accessTokens.fcm.issue(account, seconds),
      expires_in: seconds,
      token_type: 'Bearer',
    })
  const denied = problem ?? refusal('invalid_grant', 'Invalid grant: account not found')
  const down = json(503, { error: 'internal_failure', error_description: 'Backend Error' })
  answerTokenCall(context, exchange, { vendor: 'fcm', account }, { granted, denied, down })
}

function findProblem(exchange: Exchange, form: URLSearchParams, jwt: Jwt | undefined): Reply | undefined {
  if (exchange.method !== 'POST') return json(405, { error: 'invalid_request' })
  const type = exchange.headers['content-type']
  if (typeof type !== 'string' || !type.startsWith('application/x-www-form-urlencoded')) {
    return refusal('invalid_request', 'Bad Request')
  }
  if (form.get('grant_type') !== GRANT_TYPE) return refusal('unsupported_grant_type', 'Invalid grant_type')
  if (!jwt) return refusal('invalid_grant', 'Invalid JWT: malformed assertion')
  return checkClaims(jwt)
}

function checkClaims({ claims, genuine }: Jwt): Reply | undefined {
  const { iss, aud, scope, iat, exp } = claims
  const now = nowMs() / 1000
  if (!genuine) return refusal('invalid_grant', 'Invalid JWT Signature.')
  if (typeof iss !== 'string' || !iss.includes('@')) return refusal('invalid_grant', 'Invalid issuer: Not found')
  if (iss.startsWith('bad-')) return refusal('invalid_grant', 'Invalid grant: account not found')
  if (aud !== AUDIENCE && !String(aud).endsWith('/token'))
    return refusal('invalid_grant', 'Invalid JWT: wrong audience')
  if (
    !String(scope ?? '')
      .split(' ')
      .some((name) => SCOPES.includes(name))
  ) {
    return refusal('invalid_scope', 'Empty or missing scope not allowed.')
  }
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > MAX_LIFE_SECONDS || exp < now) {
    return refusal('invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes)')
  }
  if (iat > now + CLOCK_SKEW_SECONDS) return refusal('invalid_grant', 'Invalid JWT: iat is in the future')
  return undefined
}

function refusal(error: string, description: string): Reply {
  return json(error === 'invalid_client' ? 401 : 400, { error, error_description: description })
}
