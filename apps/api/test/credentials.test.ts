import { generateKeyPairSync } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openProver } from '@fanfare/platforms'
import { forgeries } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { parameter, refusal } from './refusals.ts'
import { type Reply, type TestApi, type TestApp, testApi, xiaomi } from './test-api.ts'

let api: TestApi
let app: TestApp
let victim: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  victim = await api.app()
})
afterAll(() => api.close())

/** Far below the seconds that these cost where they are worked on in the event loop, far above a busy machine's own. */
const STILL_MS = 600

let names = 0
const apns = (certificate: string) => ({
  name: `ios-${++names}`,
  provider: 'APNS',
  certificate,
  apnsSettings: { keyId: 'KEY1234567', teamId: 'TEAM123456', bundleId: 'com.example.app' },
})
const fcm = (certificate: string) => ({ name: `android-${++names}`, provider: 'ANDROID', certificate })
const p8 = () =>
  generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey
const post = (body: object, by = app): Promise<Reply> => by.call('POST', 'notifiers', body)
const kept = async (name: string): Promise<string> => {
  const [, org = '', own = ''] = app.path.split('/')
  const { id = '' } = (await api.store.apps.byName(org, own)) ?? {}
  const channel = (await api.store.channels.ofApp(id)).find((one) => one.name === name)
  return (await api.store.channels.credential(channel?.id ?? '')) ?? ''
}

/** The longest the event loop stood still meanwhile, in milliseconds. */
async function stillWhile(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  await work()
  delay.disable()
  return delay.max / 1e6
}

const LONG = 'the private key is longer than 4,096 bits'
const ROUNDS = 'the p12 or its key asks for too many rounds of key derivation'
const KINDS = 'the private key is neither RSA nor of the curve P-256'
const NO_CERTIFICATE = 'the certificate is neither a p8 key nor a p12 or pem certificate'

describe('a credential that costs whoever works on it', () => {
  const { blanks, p12WithSealOf, p12WithKeyOf, pemWithKeyOf, rsaKeyOf, dsaKeyOf, accountWith, nested } = forgeries
  it.each([
    ['64 KB of blanks', () => apns(blanks()), NO_CERTIFICATE],
    ['64 KB of blanks in JSON', () => apns(JSON.stringify({ p12: blanks() })), NO_CERTIFICATE],
    ['a p12 sealed with 4.2 million rounds', () => apns(p12WithSealOf(4_200_000)), ROUNDS],
    ['a p12 whose key has 4.2 million rounds', () => apns(p12WithKeyOf(4_200_000)), ROUNDS],
    [
      'a PEM whose key has 4.2 million rounds',
      () => apns(JSON.stringify({ pem: pemWithKeyOf(4_200_000), password: 'secret' })),
      ROUNDS,
    ],
    ['an RSA key of 16,384 bits', () => fcm(accountWith(rsaKeyOf(16_384))), LONG],
    ['an RSA key of 8,192 bits for a certificate', () => apns(rsaKeyOf(8192) + forgeries.certificatePem()), LONG],
    ['a DSA key of 8,000 bits', () => fcm(accountWith(dsaKeyOf(1000))), KINDS],
    ['made-up RSA numbers', () => fcm(accountWith(rsaKeyOf(2048))), 'nothing can be signed with the private key'],
    ['10,000 values one in the other', () => apns(nested(10_000)), ''],
  ])('is refused with a sentence, and nobody waits: %s', async (_name, make, sentence) => {
    const body = make()
    const before = api.writes()
    let reply: Reply | undefined
    const still = await stillWhile(async () => {
      reply = await post(body)
    })
    expect(reply?.status).toBe(400)
    if (sentence === '') expect(reply?.body['error_description']).toMatch(/^certificate: the /)
    else expect(refusal(reply as Reply)).toEqual(parameter(`certificate: ${sentence}`))
    expect(still).toBeLessThan(STILL_MS)
    expect(api.writes()).toBe(before)
  })

  it('is refused where it replaces another', async () => {
    const body = apns(p8())
    expect((await post(body)).status).toBe(200)
    const reply = await app.call('PATCH', `notifiers/${body.name}`, { certificate: p12WithSealOf(4_200_000) })
    expect(refusal(reply)).toEqual(parameter(`certificate: ${ROUNDS}`))
    expect(await kept(body.name)).toBe(body.certificate)
  })

  it('is given up after a deadline, and the next is proved', async () => {
    const prover = openProver({ deadlineMs: 400, rounds: Number.MAX_SAFE_INTEGER })
    const other = await testApi({ overrides: { prover } })
    const own = await other.app()
    const body = apns(p12WithSealOf(2 ** 31 - 1))
    const still = await stillWhile(async () => {
      const reply = await post(body, own)
      const sentence = 'the credential takes too much time or memory to be checked'
      expect(refusal(reply)).toEqual(parameter(`certificate: ${sentence}`))
    })
    expect(still).toBeLessThan(STILL_MS)
    await other.close()
    await prover.close()
  })
})

describe('a credential that an older version stored', () => {
  const { blanks, p12WithSealOf, rsaKeyOf, accountWith } = forgeries
  it.each([
    ['64 KB of blanks', 'apns', () => blanks()],
    ['a p12 of 4.2 million rounds', 'apns', () => p12WithSealOf(4_200_000)],
    ['an RSA key of 16,384 bits', 'fcm', () => accountWith(rsaKeyOf(16_384))],
  ] as const)('holds nobody up in a synchronous push: %s', async (_name, platform, make) => {
    const [, org = '', own = ''] = app.path.split('/')
    const { id: appId = '' } = (await api.store.apps.byName(org, own)) ?? {}
    const body = apns('')
    const limits = { rate: 0, unit: 'token', perMs: 1000 } as const
    const channel = { id: await api.api.ctx.ids.next(), appId, platform, name: body.name, limits }
    await api.store.channels.insert({ ...channel, settings: body.apnsSettings }, make())
    const binding = { device_id: 'd', notifier_name: body.name, device_token: 'ab'.repeat(32) }
    expect((await app.call('PUT', `users/${body.name}/push/binding`, binding)).status).toBe(200)
    let reply: Reply | undefined
    const still = await stillWhile(async () => {
      reply = await app.call('POST', `push/sync/${body.name}`, { pushMessage: { title: 't', content: 'c' } })
    })
    expect(reply?.body['data']).toEqual([{ pushStatus: 'FAIL', desc: 'invalid notifier' }])
    expect(still).toBeLessThan(STILL_MS)
  })
})

describe('a credential that lacks something', () => {
  const account = (key: string) => JSON.stringify({ project_id: 'p', client_email: 'a@b.example', private_key: key })
  it.each([
    ['a key of the wrong kind', () => fcm(account(p8())), 'certificate: the private key must be RSA, it is P-256'],
    [
      'no key id',
      () => ({ ...apns(p8()), apnsSettings: { teamId: 'T', bundleId: 'a.b' } }),
      'apnsSettings.keyId: is missing or malformed',
    ],
    [
      'a p12 with another password',
      () => apns(JSON.stringify({ p12: forgeries.p12('secret'), password: 'other' })),
      'certificate: the certificate cannot be opened: wrong password, or no private key in it',
    ],
    [
      'an unknown region',
      () => ({ ...xiaomi('far'), xiaomiPushSettings: { region: 'moon' } }),
      'xiaomiPushSettings.region: must be one of CN, SG, IN, EU, RU',
    ],
  ])('is refused, the field named: %s', async (_name, make, sentence) => {
    expect(refusal(await post(make()))).toEqual(parameter(sentence))
  })
})

describe('a credential that is proved', () => {
  it('is kept as certificate and key where it came as a p12', async () => {
    for (const certificate of [
      forgeries.p12(''),
      forgeries.p12(null),
      JSON.stringify({ p12: forgeries.p12('secret'), password: 'secret' }),
    ]) {
      const body = apns(certificate)
      const reply = await post(body)
      expect([reply.status, reply.text]).toEqual([200, expect.not.stringContaining('PRIVATE')])
      expect(await kept(body.name)).toMatch(/BEGIN CERTIFICATE.*BEGIN PRIVATE KEY/s)
      expect(await kept(body.name)).not.toMatch(/"p12"|"password"/)
    }
  })

  it('is kept as it came where it is cheap to open', async () => {
    for (const certificate of [p8(), forgeries.certificatePem()]) {
      const body = apns(certificate)
      expect((await post(body)).status).toBe(200)
      expect(await kept(body.name)).toBe(certificate)
    }
  })
})

describe('apps that upload many', () => {
  it('are told to wait, and leave the others their turn', async () => {
    const slow = forgeries.p12WithSealOf(150_000)
    let open = 0
    const flood = Array.from({ length: 12 }, async () => {
      open++
      const reply = await post(apns(slow))
      open--
      return reply
    })
    expect((await post(apns(p8()), victim)).status).toBe(200)
    expect(open).toBeGreaterThanOrEqual(6)
    const replies = await Promise.all(flood)
    const tooMany = replies.filter(({ status }) => status === 429)
    expect(tooMany.map(({ headers }) => headers.get('retry-after'))).toEqual(['1', '1', '1', '1'])
    expect(replies.filter(({ status }) => status === 400)).toHaveLength(8)
  })
})
