import { randomBytes } from 'node:crypto'
import { nowMs } from '../clock.ts'

export type TokenState = 'valid' | 'expired' | 'unknown'

/** Access tokens that were issued. A token whose name begins with `ok-` is valid without having been issued. */
export class AccessTokens {
  private readonly expiry = new Map<string, { atMs: number; owner: string }>()
  private readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  /** A new token; `owner` is the credential it was given to. */
  issue(owner: string, seconds: number): string {
    const token = `${this.prefix}${randomBytes(96).toString('base64url')}`
    this.expiry.set(token, { atMs: nowMs() + seconds * 1000, owner })
    return token
  }

  stateOf(token: string): TokenState {
    const known = this.expiry.get(token)
    if (known) return known.atMs > nowMs() ? 'valid' : 'expired'
    if (token.startsWith('expired-')) return 'expired'
    return token.startsWith('ok-') ? 'valid' : 'unknown'
  }

  /** From now on every token issued so far is expired. */
  revokeAll(): void {
    for (const known of this.expiry.values()) known.atMs = 0
  }

  ownerOf(token: string): string | undefined {
    return this.expiry.get(token)?.owner
  }
}
