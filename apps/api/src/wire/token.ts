import { PushError } from '@fanfare/core'
import { z } from 'zod'
import { MAX_TTL_SECONDS } from '../auth/tokens.ts'
import type { Credentials, IssuedToken } from '../operations/tokens.ts'
import { RequestError } from './errors.ts'
import { parse } from './parse.ts'

const schema = z.looseObject({
  grant_type: z.string().nullish(),
  client_id: z.string().nullish(),
  client_secret: z.string().nullish(),
  ttl: z
    .union([
      z.int(),
      z
        .string()
        .regex(/^\d{1,10}$/)
        .transform(Number),
    ])
    .nullish(),
})

/** Client credentials in the words of docs/wire-api.md §5.1. */
export function toCredentials(body: unknown): Credentials {
  const { grant_type, client_id, client_secret, ttl } = parse(schema, body)
  if (grant_type !== 'client_credentials') throw new RequestError('GRANT_TYPE')
  if (!client_id) throw new RequestError('CLIENT_ID_MISSING')
  if (!client_secret) throw new RequestError('CLIENT_SECRET_MISSING')
  if (ttl !== undefined && ttl !== null && (ttl < 0 || ttl > MAX_TTL_SECONDS)) {
    throw new PushError('BAD_PARAMETER', { field: 'ttl', detail: `must be from 0 to ${MAX_TTL_SECONDS} seconds` })
  }
  return { clientId: client_id, clientSecret: client_secret, ...(typeof ttl === 'number' && { ttlSeconds: ttl }) }
}

/** The SDK parses `expires_in` as a Java int (docs/wire-api.md §5.1). */
export const tokenView = ({ token, ttlSeconds, appId }: IssuedToken) => ({
  access_token: token,
  expires_in: ttlSeconds,
  application: appId,
})
