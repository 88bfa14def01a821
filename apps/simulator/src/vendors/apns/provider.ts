import { nowMs } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { Exchange } from '../../http/exchange.ts'
import { readJwt } from '../jwt.ts'

/** Who sends: a team by its provider token, or the holder of a certificate. `reason`: why it may not. */
export type Provider = { team: string; keyId: string; defaultTopic?: string }
export type ProviderCheck = Provider | { reason: string }

type Team = { accepted: Set<string>; lastNewMs: number }
type KnownToken = Provider & { issuedAtSeconds: number }

const CLOCK_SKEW_SECONDS = 300
const KEY_ID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Provider tokens as Apple treats them: at most one hour old, one per team in 20 minutes, one key per connection.
 * https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
 */
export class Providers {
  private readonly context: Context
  private readonly known = new Map<string, KnownToken>()
  private readonly teams = new Map<string, Team>()
  private readonly keyOfConnection = new WeakMap<object, string>()

  constructor(context: Context) {
    this.context = context
  }

  check(exchange: Exchange): ProviderCheck {
    const header = exchange.headers['authorization']
    if (typeof header !== 'string') return byCertificate(exchange)
    const token = this.known.get(header) ?? this.read(header)
    if (!token) return { reason: 'InvalidProviderToken' }
    const now = nowMs()
    if (token.issuedAtSeconds * 1000 < now - this.context.settings.apnsTokenMaxAgeSeconds * 1000) {
      return { reason: 'ExpiredProviderToken' }
    }
    if (!this.isBoundTo(exchange.connection, token)) return { reason: 'UnrelatedKeyIdInToken' }
    return this.mayUse(header, token, now) ? token : { reason: 'TooManyProviderTokenUpdates' }
  }

  private read(header: string): KnownToken | undefined {
    const jwt = /^bearer /i.test(header) ? readJwt(this.context, header.slice(7), 'ES256') : undefined
    if (!jwt?.genuine) return undefined
    const { iss, iat } = jwt.claims
    const { kid } = jwt.header
    if (typeof iss !== 'string' || typeof kid !== 'string' || !KEY_ID.test(kid) || typeof iat !== 'number')
      return undefined
    if (iat > nowMs() / 1000 + CLOCK_SKEW_SECONDS) return undefined
    const token = { team: iss, keyId: kid, issuedAtSeconds: iat }
    this.known.set(header, token)
    return token
  }

  private isBoundTo(connection: object, { team, keyId }: Provider): boolean {
    const key = `${team} ${keyId}`
    const bound = this.keyOfConnection.get(connection)
    if (bound === undefined) this.keyOfConnection.set(connection, key)
    return bound === undefined || bound === key
  }

  private mayUse(header: string, { team }: Provider, now: number): boolean {
    const known = this.teams.get(team)
    if (known?.accepted.has(header)) return true
    if (known && now - known.lastNewMs < this.context.settings.apnsTokenUpdateSeconds * 1000) return false
    if (known) {
      known.accepted.add(header)
      known.lastNewMs = now
    } else this.teams.set(team, { accepted: new Set([header]), lastNewMs: now })
    return true
  }
}

function byCertificate(exchange: Exchange): ProviderCheck {
  const name = exchange.clientCertificateName()
  if (name === undefined) return { reason: 'MissingProviderToken' }
  return { team: 'certificate', keyId: name, defaultTopic: name.replace(/^.*: /, '') }
}
