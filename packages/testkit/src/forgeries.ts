import { generateKeyPairSync, randomBytes } from 'node:crypto'
import forge from 'node-forge'

/**
 * Credentials as a hostile tenant makes them: cheap to make and to send, and dear to whoever works on them unasked.
 * They open nothing.
 */

const { asn1, pki } = forge
type Asn1 = forge.asn1.Asn1

/** What made a check for base64 try every way to split it. */
export const blanks = (length = 60_000): string => `${' '.repeat(length)}!`

/** A p12 as Apple's console and Keychain make them, in base64. */
export function p12(password: string | null, rounds = 2048): string {
  const { certificate, key } = certificateAndKey()
  return base64(forge.pkcs12.toPkcs12Asn1(key, certificate, password, { algorithm: 'aes256', count: rounds }))
}

/** PEM of a self-signed certificate and its key. */
export function certificatePem(): string {
  const { certificate, key } = certificateAndKey()
  return pki.certificateToPem(certificate) + pki.privateKeyToPem(key)
}

/** A p12 whose seal asks for so many rounds of key derivation. */
export function p12WithSealOf(rounds: number): string {
  const { certificate, key } = certificateAndKey()
  const whole = forge.pkcs12.toPkcs12Asn1(key, certificate, '', { count: 1 })
  const seal = partsOf(whole)[2] as Asn1
  partsOf(seal)[2] = number(rounds)
  return base64(whole)
}

/** A p12 without a seal, whose key asks for so many rounds: nobody sees it before the parts around it are opened. */
export function p12WithKeyOf(rounds: number): string {
  const key = encryptedKey(rounds)
  const oid = (name: string) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, oidOf(name))
  const bag = sequence([oid('pkcs8ShroudedKeyBag'), tagged([key])])
  const content = sequence([oid('data'), tagged([octets(asn1.toDer(sequence([bag])).getBytes())])])
  const safe = sequence([oid('data'), tagged([octets(asn1.toDer(sequence([content])).getBytes())])])
  return base64(sequence([number(3), safe]))
}

/** A PEM of a certificate and a key whose password asks for so many rounds. */
export function pemWithKeyOf(rounds: number): string {
  const { certificate } = certificateAndKey()
  return pki.certificateToPem(certificate) + pem('ENCRYPTED PRIVATE KEY', encryptedKey(rounds))
}

/** An RSA key of so many bits, its numbers made up: who signs with it is busy for seconds. */
export function rsaKeyOf(bits: number): string {
  const odd = (size: number) => {
    const bytes = randomBytes(size)
    bytes[0] = 0x7f
    bytes[size - 1] = (bytes[size - 1] ?? 0) | 1
    return integer(bytes)
  }
  const [whole, half] = [bits / 8, bits / 16]
  const numbers = [number(0), odd(whole), number(65_537), odd(whole), ...Array.from({ length: 5 }, () => odd(half))]
  return pem('PRIVATE KEY', pkcs8(algorithm('rsaEncryption', nothing()), sequence(numbers)))
}

/** A DSA key whose public part OpenSSL would compute when it reads it. */
export function dsaKeyOf(bytes: number): string {
  const big = () => integer(Buffer.concat([Buffer.of(0x7f), randomBytes(bytes - 1)]))
  const name = asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer('1.2.840.10040.4.1').getBytes())
  return pem('PRIVATE KEY', pkcs8(sequence([name, sequence([big(), big(), big()])]), big()))
}

/** The service account of a Firebase project with this key. */
export function accountWith(key: string, project = 'forged'): string {
  return JSON.stringify({ type: 'service_account', project_id: project, client_email: 'a@b.example', private_key: key })
}

/** DER of one value inside the other, so many deep, in base64. */
export function nested(depth: number): string {
  let value = Buffer.of(0x30, 0)
  for (let at = 0; at < depth; at++)
    value = Buffer.concat([Buffer.of(0x30, 0x82, value.length >> 8, value.length & 255), value])
  return value.toString('base64')
}

function certificateAndKey(): { certificate: forge.pki.Certificate; key: forge.pki.rsa.PrivateKey } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const certificate = pki.createCertificate()
  certificate.publicKey = pki.publicKeyFromPem(publicKey)
  certificate.serialNumber = '01'
  certificate.validity.notBefore = new Date(Date.now() - 60_000)
  certificate.validity.notAfter = new Date(Date.now() + 86_400_000)
  const subject = [{ name: 'commonName', value: 'Apple Push Services: org.example.demo' }]
  certificate.setSubject(subject)
  certificate.setIssuer(subject)
  const key = pki.privateKeyFromPem(privateKey)
  certificate.sign(key, forge.md.sha256.create())
  return { certificate, key }
}

/** With so many rounds written into it. */
function encryptedKey(rounds: number): Asn1 {
  const { key } = certificateAndKey()
  const info = pki.wrapRsaPrivateKey(pki.privateKeyToAsn1(key))
  const encrypted = pki.encryptPrivateKeyInfo(info, 'secret', { algorithm: 'aes256', count: 1 }) as Asn1
  const scheme = partsOf(partsOf(encrypted)[0] as Asn1)[1] as Asn1
  const derivation = partsOf(partsOf(scheme)[0] as Asn1)[1] as Asn1
  partsOf(derivation)[1] = number(rounds)
  return encrypted
}

const partsOf = (value: Asn1): Asn1[] => value.value as Asn1[]
const oidOf = (name: string): string => asn1.oidToDer(pki.oids[name] as string).getBytes()
const sequence = (values: Asn1[]): Asn1 => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, values)
const tagged = (values: Asn1[]): Asn1 => asn1.create(asn1.Class.CONTEXT_SPECIFIC, 0, true, values)
const octets = (bytes: string): Asn1 => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes)
const nothing = (): Asn1 => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, '')
const integer = (bytes: Buffer): Asn1 =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, bytes.toString('latin1'))
const number = (value: number): Asn1 =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes())
const algorithm = (name: string, parameters: Asn1): Asn1 =>
  sequence([asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, oidOf(name)), parameters])
const pkcs8 = (algorithmOf: Asn1, key: Asn1): Asn1 =>
  sequence([number(0), algorithmOf, octets(asn1.toDer(key).getBytes())])
const base64 = (value: Asn1): string => Buffer.from(asn1.toDer(value).getBytes(), 'latin1').toString('base64')
const pem = (label: string, value: Asn1): string =>
  `-----BEGIN ${label}-----\n${base64(value).replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`
