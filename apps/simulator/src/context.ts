import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { Faults } from './faults.ts'
import { Journal } from './journal/journal.ts'
import type { VendorName } from './names.ts'
import type { Settings } from './settings.ts'
import { DEFAULT_SETTINGS } from './settings.ts'
import { AccessTokens } from './vendors/access-tokens.ts'

/** What all vendors of one simulator share. */
export class Context {
  readonly journal = new Journal()
  readonly faults = new Faults()
  readonly settings: Settings
  /** What the token endpoints have issued. Huawei's tokens contain slashes, as the real ones do. */
  readonly accessTokens = {
    fcm: new AccessTokens('ya29.'),
    huawei: new AccessTokens('CgB6e3x9/'),
    wecom: new AccessTokens(''),
  }
  private readonly keys = new Map<string, KeyObject>()
  private readonly visitsByToken = new Map<string, number>()

  constructor(settings: Partial<Settings> = {}) {
    this.settings = { ...DEFAULT_SETTINGS, ...settings }
  }

  /** How often a counting token (`busy-2-…`) has come, this time included. */
  visits(vendor: VendorName, token: string): number {
    const key = `${vendor} ${token}`
    const visits = (this.visitsByToken.get(key) ?? 0) + 1
    this.visitsByToken.set(key, visits)
    return visits
  }

  /** From now on signatures that name this key id are verified with this public key (PEM). */
  trustKey(keyId: string, publicKeyPem: string): void {
    this.keys.set(keyId, createPublicKey(publicKeyPem))
  }

  keyFor(keyId: string): KeyObject | undefined {
    return this.keys.get(keyId)
  }

  /** Makes every access token that was issued (by one vendor, or by all) invalid at once. */
  revokeTokens(vendor?: VendorName): void {
    for (const [name, tokens] of Object.entries(this.accessTokens)) {
      if (vendor === undefined || vendor === name) tokens.revokeAll()
    }
  }

  /** Forgets all arrivals and all visits; faults, settings and keys stay. */
  resetJournal(): void {
    this.journal.reset()
    this.visitsByToken.clear()
  }
}
