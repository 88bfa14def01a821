import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { message, OPERATOR, type Reply, type TestApi, type TestApp, testApi } from './test-api.ts'

let simulator: Simulator
let api: TestApi
beforeAll(async () => {
  simulator = await startSimulator()
  const caFile = `${await tempDir('ca')}/ca.pem`
  await writeFile(caFile, simulator.caPem)
  api = await testApi({ config: { vendorUrl: simulator.url, vendorCa: caFile } })
})
beforeEach(() => simulator.reset())
afterAll(async () => {
  await api.close()
  await simulator.close()
})

const DAY_MS = 86_400_000
const newId = () => `2882${randomBytes(4).readUInt32BE()}`

type Notifier = { name: string; certificate: string; limits?: object } & Record<string, unknown>

const notifier = ({ name, certificate, ...more }: Notifier) => ({
  name,
  provider: 'XIAOMIPUSH',
  certificate,
  packageName: `com.example.x${name}`,
  ...more,
})

/** Adds a Xiaomi notifier with one user of its own; answers how to push to it. */
async function channel(app: TestApp, given: Notifier) {
  const made = await app.call('POST', 'notifiers', notifier(given))
  expect(made.status).toBe(200)
  const user = `u${randomBytes(4).toString('hex')}`
  await app.call('PUT', `users/${user}/push/binding`, {
    device_id: user,
    notifier_name: given.name,
    device_token: `ok-${user}`,
  })
  return async () => {
    const reply = await app.call('POST', `push/sync/${user}`, { pushMessage: message() })
    return (reply.body['data'] as { pushStatus: string; desc?: string }[])[0]
  }
}

type Accounts = { account: string; parts: { part: string; app_name: string; joined: boolean; notifiers: object[] }[] }[]
const listed = (reply: Reply) => reply.body['data'] as Accounts
const accountsOf = async (id: string) =>
  listed(await api.ask('GET', `/admin/accounts?provider=XIAOMIPUSH&id=${id}`, { token: OPERATOR }))
const change = (body: object) => api.ask('PATCH', '/admin/accounts', { token: OPERATOR, body })

const SENT = { pushStatus: 'SUCCESS' }
const DENIED = { pushStatus: 'ERROR', desc: expect.stringContaining('rate limit') as unknown as string }
const ONE_A_DAY = { rate: 1, perMs: DAY_MS }

describe('a vendor account', () => {
  it('is not throttled by an app that only claims it', async () => {
    const name = newId()
    const [victim, attacker] = [await api.app(), await api.app()]
    const attack = await channel(attacker, { name, certificate: 'my-own-secret', limits: ONE_A_DAY })
    const push = await channel(victim, { name, certificate: 'the-true-secret' })
    expect(await attack()).toMatchObject(SENT)
    for (let count = 0; count < 20; count++) expect(await push()).toMatchObject(SENT)
    expect(await accountsOf(name)).toHaveLength(2)
  })

  it('is one for apps that hold the same credential, and the lower limit holds', async () => {
    const name = newId()
    const [one, other] = [await api.app(), await api.app()]
    const pushLow = await channel(one, { name, certificate: 'shared-secret', limits: { rate: 2, perMs: DAY_MS } })
    const pushHigh = await channel(other, { name, certificate: ' shared-secret ', limits: { rate: 9, perMs: DAY_MS } })
    expect(await pushLow()).toMatchObject(SENT)
    expect(await pushHigh()).toMatchObject(SENT)
    expect(await Promise.all([pushLow(), pushHigh()])).toMatchObject([DENIED, DENIED])
    const [account, ...more] = await accountsOf(name)
    expect(more).toEqual([])
    expect(account?.parts).toHaveLength(2)
  })

  it('keeps its window where the credential is replaced or the notifier made anew', async () => {
    const name = newId()
    const app = await api.app()
    const given = { name, certificate: 'secret-of-may', limits: { rate: 2, perMs: DAY_MS } }
    const push = await channel(app, given)
    expect(await push()).toMatchObject(SENT)
    await app.call('PATCH', `notifiers/${name}`, { certificate: 'secret-of-june' })
    expect(await push()).toMatchObject(SENT)
    await app.call('DELETE', `notifiers/${name}`)
    const again = await channel(app, { ...given, certificate: 'secret-of-july' })
    expect(await again()).toMatchObject(DENIED)
  })

  it('is one for the notifiers of an app that name it, whatever their credentials', async () => {
    const id = newId()
    const app = await api.app()
    const settings = { xiaomiPushSettings: { appId: id }, limits: ONE_A_DAY }
    const one = await channel(app, { name: 'one', certificate: 'secret-1', ...settings })
    const other = await channel(app, { name: 'other', certificate: 'secret-2', ...settings })
    expect(await one()).toMatchObject(SENT)
    expect(await other()).toMatchObject(DENIED)
  })

  it('is left by whoever replaces the shared credential, with what was used', async () => {
    const name = newId()
    const [stays, leaves] = [await api.app(), await api.app()]
    const limits = { rate: 2, perMs: DAY_MS }
    const pushStays = await channel(stays, { name, certificate: 'leaked', limits })
    const pushLeaves = await channel(leaves, { name, certificate: 'leaked', limits })
    expect(await pushStays()).toMatchObject(SENT)
    await leaves.call('PATCH', `notifiers/${name}`, { certificate: 'fresh' })
    expect(await accountsOf(name)).toHaveLength(2)
    // Each goes on with the one that was used together.
    expect(await Promise.all([pushStays(), pushLeaves()])).toMatchObject([SENT, SENT])
    expect(await Promise.all([pushStays(), pushLeaves()])).toMatchObject([DENIED, DENIED])
  })
})

describe('/admin/accounts', () => {
  it('joins accounts of different credentials with what each has used, and separates them again', async () => {
    const name = newId()
    const [one, other] = [await api.app(), await api.app()]
    const limits = { rate: 3, perMs: DAY_MS }
    const pushOne = await channel(one, { name, certificate: 'first', limits })
    const pushOther = await channel(other, { name, certificate: 'second', limits })
    expect(await Promise.all([pushOne(), pushOther()])).toMatchObject([SENT, SENT])
    const apart = await accountsOf(name)
    expect(apart).toHaveLength(2)
    const join = apart.map(({ account }) => account)
    const joined = listed(await change({ provider: 'XIAOMIPUSH', id: name, join }))
    expect(joined).toHaveLength(1)
    expect(joined[0]?.parts.map((part) => part.joined)).toEqual([true, true])
    expect(await pushOther()).toMatchObject(SENT)
    expect(await pushOne()).toMatchObject(DENIED)

    const separate = [joined[0]?.parts[1]?.part ?? '']
    expect(listed(await change({ provider: 'XIAOMIPUSH', id: name, separate }))).toHaveLength(2)
    expect(await pushOther()).toMatchObject(DENIED)
    await other.call('PATCH', `notifiers/${name}`, { limits: { rate: 4 } })
    expect(await pushOther()).toMatchObject(SENT)
    expect(await pushOne()).toMatchObject(DENIED)
  })

  it('keeps a join for a notifier that is made anew', async () => {
    const name = newId()
    const [one, other] = [await api.app(), await api.app()]
    await channel(one, { name, certificate: 'first' })
    await channel(other, { name, certificate: 'second' })
    const join = (await accountsOf(name)).map(({ account }) => account)
    await change({ provider: 'XIAOMIPUSH', id: name, join })
    await other.call('DELETE', `notifiers/${name}`)
    await channel(other, { name, certificate: 'third' })
    expect(await accountsOf(name)).toHaveLength(1)
  })

  it('shows the accounts of an app with those it is told apart from, and no credential', async () => {
    const name = newId()
    const [one, other] = [await api.app('acme', `shop${name}`), await api.app()]
    await channel(one, { name, certificate: 'canary-secret' })
    await channel(other, { name, certificate: 'other-secret' })
    const path = `/admin/accounts?org_name=acme&app_name=shop${name}`
    const reply = await api.ask('GET', path, { token: OPERATOR })
    expect(reply.status).toBe(200)
    expect(listed(reply)).toHaveLength(2)
    expect(listed(reply).flatMap(({ parts }) => parts.map((part) => part.app_name))).toContain(`shop${name}`)
    expect(reply.text).not.toContain('secret')
    expect(reply.text).not.toContain('proof')
    const shown = (await one.call('GET', `notifiers/${name}`)).text
    expect(shown).not.toMatch(/proof|account/)
  })

  it.each([
    ['GET', '/admin/accounts', undefined, 'id'],
    ['GET', '/admin/accounts?provider=constructor&id=1', undefined, 'provider'],
    ['PATCH', '/admin/accounts', { provider: 'XIAOMIPUSH', id: '1' }, 'join'],
    ['PATCH', '/admin/accounts', { provider: 'XIAOMIPUSH', id: '1', join: ['xiaomi:nobody'] }, 'join.0'],
    ['PATCH', '/admin/accounts', { provider: 'XIAOMIPUSH', id: { $gt: '' }, join: ['x'] }, 'id'],
  ])('%s %s %j is refused naming the field', async (method, path, body, field) => {
    const reply = await api.ask(method, path, { token: OPERATOR, ...(body && { body }) })
    expect(reply.status).toBe(400)
    expect(reply.headers.get('content-type')).toContain('problem+json')
    expect(reply.body['detail']).toMatch(new RegExp(`^${field}: `))
  })

  it('is for the operator alone', async () => {
    const app = await api.app()
    for (const token of [undefined, app.token]) {
      const asked = { ...(token !== undefined && { token }) }
      expect((await api.ask('GET', '/admin/accounts?provider=XIAOMIPUSH&id=1', asked)).status).toBe(401)
      const body = { provider: 'XIAOMIPUSH', id: '1', join: ['x'] }
      expect((await api.ask('PATCH', '/admin/accounts', { ...asked, body })).status).toBe(401)
    }
  })
})

describe('ids that the credential says', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  const serviceAccount = (project_id: string) =>
    JSON.stringify({ project_id, client_email: `a@${project_id}.example`, private_key: rsa })

  it('are not overwritten by settings', async () => {
    const app = await api.app()
    const body = { name: 'android', provider: 'ANDROID', certificate: serviceAccount('mine') }
    const wrong = await app.call('POST', 'notifiers', { ...body, fcmSettings: { projectId: 'victims' } })
    expect(wrong.status).toBe(400)
    expect(wrong.body['error_description']).toMatch(/^fcmSettings\.projectId: contradicts/)
    expect((await app.call('POST', 'notifiers', body)).status).toBe(200)
    const patched = await app.call('PATCH', 'notifiers/android', { fcmSettings: { projectId: 'victims' } })
    expect(patched.status).toBe(400)
    expect(patched.body['error_description']).toMatch(/^fcmSettings\.projectId: contradicts/)
    expect((await app.call('PATCH', 'notifiers/android', { fcmSettings: { projectId: 'mine' } })).status).toBe(200)
    const moved = await app.call('PATCH', 'notifiers/android', { certificate: serviceAccount('next') })
    expect(moved.body['entities']).toMatchObject([{ fcmSettings: { projectId: 'next' } }])
  })

  it('of an APNs key with its ids are not contradicted', async () => {
    const app = await api.app()
    const { privateKey: key } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    const certificate = JSON.stringify({ key, keyId: 'KEY1234567', teamId: 'TEAM123456', bundleId: 'com.example.app' })
    const post = (apnsSettings: object) =>
      app.call('POST', 'notifiers', { name: 'ios', provider: 'APNS', certificate, apnsSettings })
    expect((await post({ teamId: 'TEAM999999' })).body['error_description']).toMatch(
      /^apnsSettings\.teamId: contradicts/,
    )
    expect((await post({ bundleId: 'com.victim' })).body['error_description']).toMatch(
      /^apnsSettings\.bundleId: contra/,
    )
    expect((await post({ bundleId: 'com.example.app.voip' })).status).toBe(200)
  })
})
