import type { ChannelSettings, PlatformName } from '@fanfare/core'
import { beforeAll, describe, expect, it } from '@jest/globals'
import forge from 'node-forge'
import { checkIdentity, identify } from '../src/index.ts'
import { ecKey, p8Key, serviceAccount } from './lab.ts'

const UID = '0.9.2342.19200300.100.1.1'
let keys: forge.pki.rsa.KeyPair
beforeAll(async () => {
  keys = await new Promise((resolve, reject) => {
    forge.pki.rsa.generateKeyPair({ bits: 2048 }, (error, pair) => (error ? reject(error) : resolve(pair)))
  })
})

function certificate(topic: string, team: string): string {
  const made = forge.pki.createCertificate()
  made.publicKey = keys.publicKey
  made.serialNumber = '01'
  made.validity.notAfter = new Date(Date.now() + 3600_000)
  made.setSubject([
    { type: UID, value: topic },
    { name: 'commonName', value: `Apple Push Services: ${topic}` },
    { name: 'organizationalUnitName', value: team },
  ])
  made.sign(keys.privateKey, forge.md.sha256.create())
  return forge.pki.certificateToPem(made) + forge.pki.privateKeyToPem(keys.privateKey)
}

const of = (platform: PlatformName, settings: ChannelSettings = {}, name = 'Name-1') => ({ platform, settings, name })
const secretOf = (subject: ReturnType<typeof of>, credential: string) => identify(subject, credential).secret

describe('what a vendor counts by', () => {
  it('is said by the credential where it says it', () => {
    const pem = certificate('com.example.app', 'TEAM123456')
    const lie = { teamId: 'VICTIM1234', bundleId: 'com.victim', projectId: 'victim' }
    expect(identify(of('apns', lie), pem).id).toBe('team123456 com.example.app')
    expect(identify(of('fcm', lie), serviceAccount('mine')).id).toBe('mine')
    const huawei = JSON.stringify({ project_id: '777', key_id: 'k', sub_account: 's', private_key: 'x' })
    expect(identify(of('huawei', { apiVersion: 3, projectId: '1' }), huawei).id).toBe('777')
  })

  it.each([
    ['apns', { teamId: 'TEAM123456', packageName: 'com.example.app' }, 'team123456 com.example.app'],
    ['xiaomi', {}, 'name-1'],
    ['xiaomi', { appId: 2882 }, '2882'],
    ['huawei', { apiVersion: 3, projectId: '42' }, '42'],
    ['huawei', { appId: 'App' }, 'app'],
    ['wecom', { corpId: 'Corp', agentId: 7 }, 'corp 7'],
    ['email', { host: 'Mail.example.com', user: 'News' }, 'mail.example.com news'],
  ] as const)('is what the app says else: %s %j', (platform, settings, id) => {
    expect(identify(of(platform, settings), 'secret').id).toBe(id)
  })

  it('may not be contradicted by a setting', () => {
    const pem = certificate('com.example.app', 'TEAM123456')
    const check = (settings: ChannelSettings) => () => checkIdentity(of('apns', settings), pem)
    expect(check({ teamId: 'OTHER12345' })).toThrow('setting teamId contradicts the certificate')
    expect(check({ bundleId: 'com.victim' })).toThrow('setting bundleId contradicts the certificate')
    expect(check({ packageName: 'com.example.apple' })).toThrow('setting packageName contradicts the certificate')
    expect(check({ teamId: 'team123456', bundleId: 'com.example.app.voip' })).not.toThrow()
    expect(check({})).not.toThrow()
  })
})

describe('the secret of a credential', () => {
  it('is the same however it is written, and another for another key', () => {
    const apns = of('apns', { teamId: 'T', bundleId: 'b' })
    const key = p8Key()
    const wrapped = JSON.stringify({ key: key.replaceAll('\n', '\r\n'), keyId: 'K' })
    expect(secretOf(apns, wrapped)).toBe(secretOf(apns, key))
    expect(secretOf(apns, ecKey())).not.toBe(secretOf(apns, key))
    const json = serviceAccount('mine')
    expect(secretOf(of('fcm'), JSON.stringify(JSON.parse(json), null, 2))).toBe(secretOf(of('fcm'), json))
    expect(secretOf(of('xiaomi'), ' secret\n')).toBe(secretOf(of('xiaomi'), 'secret'))
  })
})
