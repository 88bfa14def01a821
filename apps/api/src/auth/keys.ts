import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'

/** A key for one purpose, derived from the master key (RFC 5869), so that the master key itself signs nothing. */
export function derivedKey(masterKey: Buffer, purpose: string): KeyObject {
  // createSecretKey once: jsonwebtoken with a string secret costs 40 times more (docs/limits.md §2).
  return createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, '', `fanfare ${purpose}`, 32)))
}
