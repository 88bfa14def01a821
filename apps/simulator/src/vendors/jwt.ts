import { verify } from 'node:crypto'
import type { Context } from '../context.ts'

export type Jwt = {
  header: Readonly<Record<string, unknown>>
  claims: Readonly<Record<string, unknown>>
  /** False only where a public key is known for the `kid` and the signature is not its own. */
  genuine: boolean
}

/** The signatures the vendors use, and how long they are in bytes (0 = depends on the key). */
const ALGORITHMS = { RS256: 0, PS256: 0, ES256: 64 } as const
export type Algorithm = keyof typeof ALGORITHMS

const PSS_SALT_BYTES = 32
const RSA_PKCS1_PADDING = 1
const RSA_PKCS1_PSS_PADDING = 6

/** Reads a signed JWT of the algorithm; undefined if it is none. The signature is verified where the key is known. */
export function readJwt(context: Context, token: string, algorithm: Algorithm): Jwt | undefined {
  const [head, body, signature, ...rest] = token.split('.')
  if (!head || !body || !signature || rest.length > 0) return undefined
  const header = parsePart(head)
  const claims = parsePart(body)
  if (!header || !claims || header['alg'] !== algorithm) return undefined
  const bytes = Buffer.from(signature, 'base64url')
  const expected = ALGORITHMS[algorithm]
  if (bytes.length < 64 || (expected > 0 && bytes.length !== expected)) return undefined
  return { header, claims, genuine: isGenuine(context, `${head}.${body}`, bytes, header) }
}

function isGenuine(context: Context, signed: string, signature: Buffer, header: Jwt['header']): boolean {
  const key = typeof header['kid'] === 'string' ? context.keyFor(header['kid']) : undefined
  if (!key) return true
  const padding = header['alg'] === 'PS256' ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING
  const options =
    header['alg'] === 'ES256'
      ? { key, dsaEncoding: 'ieee-p1363' as const }
      : { key, padding, ...(padding === RSA_PKCS1_PSS_PADDING && { saltLength: PSS_SALT_BYTES }) }
  return verify('sha256', Buffer.from(signed), options, signature)
}

function parsePart(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
