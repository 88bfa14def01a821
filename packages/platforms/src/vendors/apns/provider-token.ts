import jwt from 'jsonwebtoken'
import { TokenProvider } from '../../access/access-token.ts'
import type { OpenContext } from '../../pushing/opener.ts'
import type { ApnsCredential } from './options.ts'

const MINUTE_MS = 60_000
/** Apple refuses provider tokens older than an hour. */
const LIFE_MS = 60 * MINUTE_MS
/** Renewed at an age of 45–50 min; the earliest process renews for the fleet. */
const EARLY_MS = 10 * MINUTE_MS
const JITTER_MS = 5 * MINUTE_MS
/** A second token of a team within 20 min is answered TooManyProviderTokenUpdates. */
const MIN_AGE_MS = 20 * MINUTE_MS

/**
 * The ES256 provider token of a key: one for the fleet, because Apple counts all tokens of a team together and expects
 * the same one for close to an hour.
 * https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
 */
export function providerTokens(
  context: OpenContext,
  { key, keyId, teamId }: Extract<ApnsCredential, { kind: 'token' }>,
  now?: () => number,
): TokenProvider {
  const sign = () => jwt.sign({}, key, { algorithm: 'ES256', keyid: keyId, issuer: teamId })
  return new TokenProvider({
    redis: context.redis,
    log: context.log,
    name: `apns:${teamId}:${keyId}`,
    credential: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    earlyMs: EARLY_MS,
    jitterMs: JITTER_MS,
    minAgeMs: MIN_AGE_MS,
    fetch: () => Promise.resolve({ value: sign(), expiresInMs: LIFE_MS }),
    ...(now ? { now } : {}),
  })
}
