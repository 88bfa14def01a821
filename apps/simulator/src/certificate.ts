import { generateKeyPair } from 'node:crypto'
import { isIP } from 'node:net'
import { promisify } from 'node:util'
import forge from 'node-forge'

/** A server certificate with its private key, and the CA that vouches for it; all PEM, all made for one run. */
export type TestCertificate = { caPem: string; certPem: string; keyPem: string }

/** Names under which clients may reach the simulator: loopback, and the vendors' own hosts for redirected clients. */
const SERVER_NAMES: readonly string[] = [
  'localhost',
  '127.0.0.1',
  '::1',
  'fcm.googleapis.com',
  'oauth2.googleapis.com',
  'api.push.apple.com',
  'api.sandbox.push.apple.com',
  'api.xmpush.xiaomi.com',
  'push-api.cloud.huawei.com',
  'oauth-login.cloud.huawei.com',
  'qyapi.weixin.qq.com',
]

const DAY_MS = 24 * 3600_000
const LIFE_DAYS = 30

/** Makes a test CA and a server certificate signed by it. Nothing is written anywhere. Takes about 0.3 s. */
export async function makeTestCertificate(names: readonly string[] = SERVER_NAMES): Promise<TestCertificate> {
  const [caKeyPem, keyPem] = await Promise.all([newRsaKey(), newRsaKey()])
  const caName = [{ shortName: 'CN', value: 'Fanfare simulator test CA' }]
  const ca = certificateFor(caKeyPem, caName, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ])
  sign(ca, caName, caKeyPem)
  const server = certificateFor(
    keyPem,
    [{ shortName: 'CN', value: 'Fanfare simulator' }],
    [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      { name: 'subjectAltName', altNames: names.map(altName) },
    ],
  )
  sign(server, caName, caKeyPem)
  return { caPem: forge.pki.certificateToPem(ca), certPem: forge.pki.certificateToPem(server), keyPem }
}

/** node-forge knows only RSA certificates; node:crypto makes the key some hundred times faster than forge would. */
async function newRsaKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  return privateKey
}

function certificateFor(keyPem: string, name: forge.pki.CertificateField[], extensions: object[]) {
  const certificate = forge.pki.createCertificate()
  const key = forge.pki.privateKeyFromPem(keyPem)
  certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e)
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(15))}`
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS)
  certificate.validity.notAfter = new Date(Date.now() + LIFE_DAYS * DAY_MS)
  certificate.setSubject(name)
  certificate.setExtensions(extensions)
  return certificate
}

function sign(certificate: forge.pki.Certificate, issuer: forge.pki.CertificateField[], caKeyPem: string): void {
  certificate.setIssuer(issuer)
  certificate.sign(forge.pki.privateKeyFromPem(caKeyPem), forge.md.sha256.create())
}

function altName(name: string): object {
  return isIP(name) ? { type: 7, ip: name } : { type: 2, value: name }
}
