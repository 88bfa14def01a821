import { type KeyObject, X509Certificate } from 'node:crypto'
import { ChannelError } from '@fanfare/core'
import forge from 'node-forge'
import type { Locked } from './locked.ts'
import { bytesOf, type PemBlock, pemOf } from './pem.ts'
import { isEncrypted, readPrivateKey } from './private-key.ts'
import { allowRounds } from './rounds.ts'

type Opened = { key: Buffer; certificates: Buffer[] }

const WRONG = 'the certificate cannot be opened: wrong password, or no private key in it'
const MOST_CERTIFICATES = 10

/**
 * Opens what a password locks and answers the same credential as PEM of certificate and key, in the JSON it came in.
 * node-forge opens it, so that it can be interrupted; it is run in a thread of its own (`prover.ts`). Throws ChannelError.
 */
export function unlocked(locked: Locked, rounds: number): string {
  allowRounds(rounds)
  const pem = certificateFirst(opened(locked))
  return locked.rest === undefined ? pem : JSON.stringify({ ...locked.rest, pem })
}

function opened(locked: Locked): Opened {
  // Without a password files are written with an empty one, or with none at all.
  const passwords = locked.password === undefined ? ['', null] : [locked.password]
  let cause: unknown
  for (const password of passwords) {
    try {
      return 'p12' in locked ? openP12(locked.p12, password) : openPem(locked.blocks, password)
    } catch (error) {
      if (error instanceof ChannelError) throw error
      cause = error
    }
  }
  throw new ChannelError(WRONG, { cause })
}

function openP12(der: Buffer, password: string | null): Opened {
  const whole = forge.asn1.fromDer(der.toString('latin1'), { strict: false } as never)
  const { safeContents } = forge.pkcs12.pkcs12FromAsn1(whole, false, password as string)
  const bags = safeContents.flatMap(({ safeBags }) => safeBags)
  const keys = bags.flatMap(({ type, key, asn1 }) => (isKey(type) ? [key ? pkcs8Of(key) : derOf(asn1)] : []))
  const certificates = bags.flatMap(({ type, cert, asn1 }) =>
    type === forge.pki.oids['certBag'] ? [cert ? derOf(forge.pki.certificateToAsn1(cert)) : derOf(asn1)] : [],
  )
  const [key] = keys
  if (!key) throw new ChannelError(WRONG)
  return { key, certificates }
}

const isKey = (type: string): boolean =>
  type === forge.pki.oids['keyBag'] || type === forge.pki.oids['pkcs8ShroudedKeyBag']

function openPem(blocks: readonly PemBlock[], password: string | null): Opened {
  const block = blocks.find(isEncrypted)
  if (!block || password === null) throw new ChannelError(WRONG)
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE').map(bytesOf)
  return {
    key: block.label === 'ENCRYPTED PRIVATE KEY' ? openPkcs8(block, password) : openOld(block, password),
    certificates,
  }
}

function openPkcs8(block: PemBlock, password: string): Buffer {
  const info = forge.asn1.fromDer(bytesOf(block).toString('latin1'))
  const key = forge.pki.decryptPrivateKeyInfo(info, password) as forge.asn1.Asn1 | null
  if (!key) throw new ChannelError(WRONG)
  return derOf(key)
}

/** OpenSSL's form before PKCS#8: one round of MD5. */
function openOld({ label, body }: PemBlock, password: string): Buffer {
  const key = forge.pki.decryptRsaPrivateKey(`-----BEGIN ${label}-----${body}-----END ${label}-----`, password)
  if (!key) throw new ChannelError(WRONG)
  return pkcs8Of(key)
}

/** PEM of the certificate that belongs to the key, of the others, and of the key. */
function certificateFirst({ key: der, certificates }: Opened): string {
  const key = readPrivateKey(pemOf('PRIVATE KEY', der), ['RSA', 'P-256'])
  if (certificates.length > MOST_CERTIFICATES) throw new ChannelError('there are more than 10 certificates in it')
  const own = certificates.find((certificate) => belongsTo(certificate, key))
  if (!own) throw new ChannelError(WRONG)
  const others = certificates.filter((certificate) => certificate !== own)
  const pems = [own, ...others].map((certificate) => pemOf('CERTIFICATE', certificate))
  return pems.join('') + key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function belongsTo(certificate: Buffer, key: KeyObject): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(key)
  } catch {
    return false
  }
}

const derOf = (asn1: forge.asn1.Asn1 | undefined): Buffer =>
  Buffer.from(asn1 ? forge.asn1.toDer(asn1).getBytes() : '', 'latin1')
const pkcs8Of = (key: forge.pki.PrivateKey): Buffer =>
  derOf(forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)))
