import { type KeyObject, randomUUID } from 'node:crypto'
import { type App, type Log, PushError, type Store } from '@fanfare/core'
import jwt from 'jsonwebtoken'
import { derivedKey } from './keys.ts'

export const DEFAULT_TTL_SECONDS = 7 * 24 * 3600
/** The SDK parses `expires_in` as a Java int (docs/wire-api.md §5.1); a token without an end answers this. */
export const MAX_TTL_SECONDS = 2_147_483_647
const ISSUER = 'fanfare'
const MAX_CACHED = 10_000
const MAX_TOKEN_LENGTH = 2048
/** Revocations are effective within 5 s (docs/design.md §11). */
const REVOCATIONS_EVERY_MS = 1500
/** Asked again for this long before the newest known one, for writes that were under way then. */
const OVERLAP_MS = 10_000
/** Revoked tokens of one app that are remembered until they expire; who needs more has all of them ended. */
const MOST_REVOKED = 10_000

/** `issuedAt`: seconds since 1970, as `iat`. */
export type Claims = { appId: string; audience: string; jti: string; issuedAt: number; expiresAtMs: number }

/** Signs and verifies app tokens; keeps verified ones, honouring expiry and revocation. */
export class Tokens {
  /** The first signs, all verify. */
  readonly #keys: readonly KeyObject[]
  readonly #store: Pick<Store, 'tokens'>
  readonly #log: Log
  readonly #verified = new Map<string, Claims>()
  /** Until when each would have lived. */
  readonly #revoked = new Map<string, number>()
  readonly #clock: { now(): number }
  #since = new Date(0)
  #timer: NodeJS.Timeout | undefined

  /** `clock`: the store's, by which tokens begin and end. */
  constructor(masterKeys: readonly Buffer[], store: Pick<Store, 'tokens'>, log: Log, clock: { now(): number }) {
    this.#keys = masterKeys.map((key) => derivedKey(key, 'app tokens'))
    this.#store = store
    this.#log = log
    this.#clock = clock
  }

  /** Loads the revocations and keeps them fresh. Rejects with StoreDownError. */
  async start(): Promise<void> {
    await this.#poll()
    this.#timer = setInterval(() => void this.#pollQuietly(), REVOCATIONS_EVERY_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** `ttlSeconds` 0: the token never expires. `now` was read from the store before `app`, see `AppStore.endTokens`. */
  sign(app: App, ttlSeconds: number, now = new Date(this.#clock.now())): string {
    const iat = Math.max(Math.floor(now.getTime() / 1000), app.tokensFrom ?? 0)
    return jwt.sign({ iat }, this.#keys[0] as KeyObject, {
      algorithm: 'HS256',
      issuer: ISSUER,
      audience: audienceOf(app),
      subject: app.id,
      jwtid: randomUUID(),
      ...(ttlSeconds > 0 && { expiresIn: ttlSeconds }),
    })
  }

  /** The claims of a token of this server that is neither expired nor revoked; else a 401 of docs/wire-api.md §5.4. */
  verify(token: string): Claims {
    const known = this.#verified.get(token)
    const claims = known ?? this.#keep(token, this.#check(token))
    if (this.#revoked.has(claims.jti)) throw new PushError('TOKEN_REVOKED')
    if (claims.expiresAtMs > this.#clock.now()) return claims
    this.#verified.delete(token)
    throw new PushError('TOKEN_EXPIRED')
  }

  async revoke(claims: Claims): Promise<void> {
    const of = { appId: claims.appId, most: MOST_REVOKED }
    if (!(await this.#store.tokens.revoke(claims.jti, new Date(claims.expiresAtMs), of))) {
      const detail = `${MOST_REVOKED} tokens are revoked, the operator can end all tokens of the app`
      throw new PushError('LIMIT', { detail })
    }
    this.#revoked.set(claims.jti, claims.expiresAtMs)
  }

  /** How many revocations this process keeps. */
  get revocations(): number {
    return this.#revoked.size
  }

  #check(token: string): Claims {
    if (token.length > MAX_TOKEN_LENGTH) throw new PushError('TOKEN_CORRUPT')
    try {
      return claimsOf(this.#verifiedBy(token, this.#keys))
    } catch (error) {
      if (error instanceof PushError) throw error
      if (error instanceof jwt.TokenExpiredError) throw new PushError('TOKEN_EXPIRED')
      throw new PushError('TOKEN_CORRUPT')
    }
  }

  #verifiedBy(token: string, [key, ...others]: readonly KeyObject[]): string | jwt.JwtPayload {
    try {
      const clockTimestamp = Math.floor(this.#clock.now() / 1000)
      return jwt.verify(token, key as KeyObject, { algorithms: ['HS256'], issuer: ISSUER, clockTimestamp })
    } catch (error) {
      const isOfAnother = error instanceof jwt.JsonWebTokenError && error.message === 'invalid signature'
      if (!isOfAnother || others.length === 0) throw error
      return this.#verifiedBy(token, others)
    }
  }

  #keep(token: string, claims: Claims): Claims {
    this.#verified.set(token, claims)
    if (this.#verified.size > MAX_CACHED) {
      const oldest = this.#verified.keys().next()
      if (!oldest.done) this.#verified.delete(oldest.value)
    }
    return claims
  }

  async #poll(): Promise<void> {
    const found = await this.#store.tokens.revokedSince(this.#since)
    let newest = this.#since.getTime()
    for (const { jti, at, expiresAt } of found) {
      this.#revoked.set(jti, expiresAt.getTime())
      newest = Math.max(newest, at.getTime() - OVERLAP_MS)
    }
    this.#since = new Date(newest)
    const now = this.#clock.now()
    for (const [jti, until] of this.#revoked) if (until < now) this.#revoked.delete(jti)
  }

  async #pollQuietly(): Promise<void> {
    try {
      await this.#poll()
    } catch (error) {
      this.#log.warn({ err: String(error) }, 'revocations could not be read')
    }
  }
}

const NEVER_MS = Date.UTC(9999, 0, 1)

function claimsOf(payload: string | jwt.JwtPayload): Claims {
  if (typeof payload === 'string') throw new PushError('TOKEN_CORRUPT')
  const { sub, jti, aud, exp, iat } = payload
  if (typeof sub !== 'string' || typeof jti !== 'string' || typeof aud !== 'string') {
    throw new PushError('TOKEN_CORRUPT')
  }
  const expiresAtMs = exp === undefined ? NEVER_MS : exp * 1000
  return { appId: sub, jti, audience: aud, issuedAt: iat ?? 0, expiresAtMs }
}

export const audienceOf = (app: Pick<App, 'org' | 'name'>): string => `${app.org}/${app.name}`
