import { jsonOf } from '../http/http.ts'
import { type PemBlock, pemBlocks } from './pem.ts'
import { isEncrypted } from './private-key.ts'

/** A credential whose private key is encrypted with a password: a p12, or a PEM with an encrypted key. */
export type Locked = {
  /** What else stood in the JSON, if it was JSON. */
  rest: Record<string, unknown> | undefined
  password: string | undefined
} & ({ p12: Buffer } | { blocks: PemBlock[] })

/** Keychain and OpenSSL write 2,048 rounds, Java 10,000; a file has one derivation for its seal and one for each bag. */
export const MOST_ROUNDS = 600_000

const DER_SEQUENCE = 0x30
const LEAST_P12 = 200

/**
 * Reads what a tenant uploaded for APNs so far that it is known whether a key must be derived from a password to open
 * it, which costs whatever the file asks for; undefined where not. Linear in the text.
 */
export function lockedOf(credential: string): Locked | undefined {
  const json = jsonOf(credential)
  const { p12, pem, password, ...rest } = json ?? {}
  const own = { rest: json ? rest : undefined, password: textOr(password) }
  const packed = textOr(p12) ?? (json ? undefined : credential)
  const bytes = packed === undefined ? undefined : p12Of(packed)
  if (bytes) return { ...own, p12: bytes }
  const blocks = pemBlocks(textOr(pem) ?? credential)
  return blocks.some(isEncrypted) ? { ...own, blocks } : undefined
}

/** Each pattern is one run of one class. */
function p12Of(text: string): Buffer | undefined {
  const packed = text.replace(/\s+/g, '')
  if (packed.length < LEAST_P12 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) return undefined
  const bytes = Buffer.from(packed, 'base64')
  return bytes[0] === DER_SEQUENCE ? bytes : undefined
}

const textOr = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
