import { createPrivateKey, type KeyObject } from 'node:crypto'
import { ChannelError } from '@fanfare/core'
import { contentOf, type Der, INTEGER, inside, NotDer, OCTETS, OID, only, SEQUENCE } from './der.ts'
import { bytesOf, type PemBlock, pemBlocks } from './pem.ts'

/** What a vendor's keys are. */
export type KeyKind = 'RSA' | 'P-256'

const MOST_BITS = 4096
const MOST_BYTES = MOST_BITS / 8 + 1
/** 65,537 in practice; a long one makes every signature slow. */
const MOST_EXPONENT_BYTES = 5
/** A key of 4,096 bits with its attributes has half of it. */
const MOST_DER_BYTES = 8192
const RSA = '2a864886f70d010101'
const EC = '2a8648ce3d0201'
const P256 = '2a8648ce3d030107'
const INNER_PARAMETERS = 0xa0

const TYPES: Readonly<Record<string, 'pkcs8' | 'pkcs1' | 'sec1'>> = {
  'PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
}

/**
 * The private key of a PEM text: RSA of at most 4,096 bits or of the curve P-256. Kind and size are read before OpenSSL
 * works on the key, which takes minutes for what a tenant can make up. Throws ChannelError with the reason.
 */
export function readPrivateKey(pem: string, kinds: readonly KeyKind[]): KeyObject {
  const block = pemBlocks(pem).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (!block) throw new ChannelError('there is no private key in PEM in it')
  const type = Object.hasOwn(TYPES, block.label) ? TYPES[block.label] : undefined
  if (!type || isEncrypted(block)) throw new ChannelError('the private key must not be encrypted')
  const der = bytesOf(block)
  const kind = kindOf(der, type)
  if (!kinds.includes(kind)) throw new ChannelError(`the private key must be ${kinds.join(' or ')}, it is ${kind}`)
  try {
    return createPrivateKey({ key: der, format: 'der', type: type === 'pkcs8' ? 'pkcs8' : type })
  } catch (error) {
    throw new ChannelError('the private key is unreadable', { cause: error })
  }
}

/** PKCS#8 or the older form of OpenSSL, whose key is derived from a password. */
export const isEncrypted = ({ label, body }: PemBlock): boolean =>
  label === 'ENCRYPTED PRIVATE KEY' || (label.endsWith('PRIVATE KEY') && body.includes('Proc-Type:'))

function kindOf(der: Buffer, type: 'pkcs8' | 'pkcs1' | 'sec1'): KeyKind {
  if (der.length > MOST_DER_BYTES) throw tooLong()
  try {
    const whole = { from: 0, to: der.length }
    if (type === 'pkcs1') return checkedRsa(der, whole)
    return type === 'sec1' ? checkedCurve(der, whole) : kindInPkcs8(der, only(der, SEQUENCE, whole))
  } catch (error) {
    if (!(error instanceof NotDer)) throw error
    throw new ChannelError('the private key is unreadable', { cause: error })
  }
}

/** RFC 5958: version, algorithm and its parameters, the key in octets, attributes. */
function kindInPkcs8(der: Buffer, info: Der): KeyKind {
  const [, algorithm, key] = inside(der, info)
  if (algorithm?.tag !== SEQUENCE || key?.tag !== OCTETS) throw new NotDer('no PKCS#8')
  const [name, parameters] = inside(der, algorithm)
  const oid = name?.tag === OID ? hexOf(der, name) : ''
  if (oid === RSA) return checkedRsa(der, key)
  if (oid === EC && isP256(der, parameters)) return checkedCurve(der, key)
  throw new ChannelError('the private key is neither RSA nor of the curve P-256')
}

/** RFC 8017: version, modulus, public exponent, and six numbers no longer than the modulus. */
function checkedRsa(der: Buffer, within: Pick<Der, 'from' | 'to'>): KeyKind {
  const numbers = inside(der, only(der, SEQUENCE, within))
  const [, modulus, exponent] = numbers
  if (numbers.length !== 9 || !modulus || !exponent || numbers.some(({ tag }) => tag !== INTEGER)) {
    throw new NotDer('no RSA key')
  }
  if (numbers.some((number) => sizeOf(number) > MOST_BYTES)) throw tooLong()
  if (sizeOf(exponent) > MOST_EXPONENT_BYTES) throw new ChannelError('the public exponent of the key is too long')
  return 'RSA'
}

/** RFC 5915: version, the number, and perhaps the curve once more, which must be the same. */
function checkedCurve(der: Buffer, within: Pick<Der, 'from' | 'to'>): KeyKind {
  const [, , ...more] = inside(der, only(der, SEQUENCE, within))
  const again = more.find(({ tag }) => tag === INNER_PARAMETERS)
  if (again && !isP256(der, inside(der, again)[0])) throw new ChannelError('the private key is not of the curve P-256')
  return 'P-256'
}

const isP256 = (der: Buffer, parameters: Der | undefined): boolean =>
  parameters?.tag === OID && hexOf(der, parameters) === P256
const hexOf = (der: Buffer, value: Der): string => contentOf(der, value).toString('hex')
const sizeOf = ({ from, to }: Der): number => to - from
const tooLong = () => new ChannelError('the private key is longer than 4,096 bits')
