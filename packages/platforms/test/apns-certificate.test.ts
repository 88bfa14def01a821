import { apnsToken } from '@fanfare/simulator'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import forge from 'node-forge'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
let keys: forge.pki.rsa.KeyPair
let certificate: forge.pki.Certificate
beforeAll(async () => {
  lab = await startLab()
  keys = await new Promise((resolve, reject) => {
    forge.pki.rsa.generateKeyPair({ bits: 2048 }, (error, pair) => (error ? reject(error) : resolve(pair)))
  })
  certificate = forge.pki.createCertificate()
  certificate.publicKey = keys.publicKey
  certificate.serialNumber = '01'
  certificate.validity.notBefore = new Date(Date.now() - 60_000)
  certificate.validity.notAfter = new Date(Date.now() + 3600_000)
  const subject = [{ name: 'commonName', value: 'Apple Push Services: com.example.app' }]
  certificate.setSubject(subject)
  certificate.setIssuer(subject)
  certificate.sign(keys.privateKey, forge.md.sha256.create())
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const settings = { keyId: '', teamId: '' }

function p12(password: string): string {
  const asn1 = forge.pkcs12.toPkcs12Asn1(keys.privateKey, certificate, password, { algorithm: 'aes256' })
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'latin1').toString('base64')
}

async function pushWith(credential: string) {
  const pusher = await lab.open('apns', { credential, settings })
  return pusher.push(batchOf([apnsToken('ok', 1), apnsToken('gone', 2)]), never)
}

describe('an APNs certificate', () => {
  it.each([
    ['PEM', () => forge.pki.certificateToPem(certificate) + forge.pki.privateKeyToPem(keys.privateKey)],
    ['p12 with a password', () => JSON.stringify({ p12: p12('secret'), password: 'secret' })],
    ['p12 in base64', () => p12('')],
  ])('authenticates the connection: %s', async (_kind, credential) => {
    expect(await pushWith(credential())).toMatchObject([{ outcome: 'sent' }, { outcome: 'invalid' }])
    const [request] = lab.simulator.journal.requests({ vendor: 'apns' })
    expect(request?.headers['authorization']).toBeUndefined()
    expect(request?.headers['apns-topic']).toBe('com.example.app')
  })

  it('with a wrong password, or without its key, is refused when the channel is opened', async () => {
    const wrong = JSON.stringify({ p12: p12('secret'), password: 'other' })
    await expect(pushWith(wrong)).rejects.toThrow('the certificate cannot be opened')
    await expect(pushWith(forge.pki.certificateToPem(certificate))).rejects.toThrow('the certificate cannot be opened')
  })
})
