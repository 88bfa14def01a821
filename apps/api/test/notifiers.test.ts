import { generateKeyPairSync } from 'node:crypto'
import { connect } from '@fanfare/redis'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bad, parameter, refusal } from './refusals.ts'
import { OPERATOR, type TestApi, type TestApp, testApi, timestampless, until, xiaomi } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
})
afterAll(() => api.close())

const CANARY = 'app-secret-canary'
type Entity = Record<string, unknown> & { uuid: string; name: string }
const entitiesOf = (body: Record<string, unknown>) => body['entities'] as Entity[]
const invalid = (detail: string) =>
  bad('IllegalArgumentException', 'IllegalArgumentException', `parameters is invalid : ${detail}`)

describe('notifiers', () => {
  it('are as many as the operator lets an app have', async () => {
    const own = await api.app()
    await api.ask('PATCH', `/admin/apps${own.path}`, { token: OPERATOR, body: { maxNotifiers: 2 } })
    const statuses = []
    for (const name of ['1', '2', '3']) statuses.push((await own.call('POST', 'notifiers', xiaomi(name))).status)
    expect(statuses).toEqual([200, 200, 403])
    const refused = await own.call('POST', 'notifiers', xiaomi('4'))
    expect(refused.body).toMatchObject({
      exception: 'LimitException',
      error_description: 'limit request: the app has 2 notifiers (maxNotifiers)',
    })
    const listed = await own.call('GET', 'notifiers')
    expect(entitiesOf(listed.body)).toHaveLength(2)
  })

  it('are made, listed, shown by name and uuid, and deleted; the certificate is never echoed', async () => {
    const made = await app.call('POST', 'notifiers', xiaomi('10492024'))
    expect(timestampless(made.body)).toEqual({
      path: '/notifiers',
      uri: `${api.url}${app.path}/notifiers`,
      entities: [
        {
          uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8000-000000000000$/),
          type: 'notifier',
          name: '10492024',
          created: expect.any(Number),
          modified: expect.any(Number),
          disabled: false,
          provider: 'XIAOMIPUSH',
          environment: 'PRODUCTION',
          packageName: 'com.example.app',
          limits: { rate: 500, unit: 'request', perMs: 1000 },
        },
      ],
      count: 1,
      action: 'post',
    })
    const [entity] = entitiesOf(made.body)
    const listed = await app.call('GET', 'notifiers')
    expect(listed.body).toMatchObject({ action: 'get', count: 1, entities: [entity] })
    const shown = await app.call('GET', 'notifiers/10492024')
    expect(entitiesOf((await app.call('GET', `notifiers/${entity?.uuid}`)).body)).toEqual([entity])
    for (const { text } of [made, listed, shown]) expect(text).not.toContain(CANARY)
    const removed = await app.call('DELETE', `notifiers/${entity?.uuid}`)
    expect(removed.body).toMatchObject({ action: 'delete', entities: [entity] })
    expect((await app.call('GET', 'notifiers')).body).toMatchObject({ count: 0, entities: [] })
    expect((await app.call('DELETE', 'notifiers/10492024')).status).toBe(404)
  })

  it('takes every provider with its settings', async () => {
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
    const account = JSON.stringify({ project_id: 'demo-1', client_email: 'a@b.example', private_key: rsa })
    const apnsSettings = { keyId: 'KEY1234567', teamId: 'TEAM123456', bundleId: 'com.example.app' }
    const bodies = [
      { name: 'ios', provider: 'APNS', environment: 'DEVELOPMENT', certificate: privateKey, apnsSettings },
      { name: 'fcm', provider: 'ANDROID', certificate: account },
      {
        name: 'hw',
        provider: 'HUAWEIPUSH',
        certificate: 'secret',
        huaweiPushSettings: { apiVersion: 4, activityClass: 'a.B' },
      },
      { name: 'mi', provider: 'XIAOMIPUSH', certificate: 'secret', xiaomiPushSettings: { region: 'eu' } },
      { name: 'wx', provider: 'WECOM', certificate: 'secret', wecomSettings: { corpId: 'c', agentId: 7 } },
      {
        name: 'mail',
        provider: 'EMAIL',
        certificate: 'pw',
        emailSettings: { host: 'smtp.example.com', port: 587, user: 'u', from: 'a@b.example' },
      },
    ]
    for (const body of bodies) {
      const { certificate: _secret, ...rest } = body
      const reply = await app.call('POST', 'notifiers', body)
      expect([reply.status, entitiesOf(reply.body)[0]]).toEqual([200, expect.objectContaining(rest)])
      expect(reply.text).not.toContain('PRIVATE KEY')
    }
  })

  it.each([
    [{ provider: 'VIVOPUSH' }, 'provider: must be one of APNS, ANDROID, FCM, XIAOMIPUSH, HUAWEIPUSH, EMAIL, WECOM'],
    [{ provider: { $gt: '' } }, 'provider: expected string, received object'],
    [{ certificate: '' }, 'certificate: Too small: expected string to have >=1 characters'],
    [{ provider: 'ANDROID' }, 'certificate: must be a service account: no project_id'],
    [{ provider: 'WECOM' }, 'wecomSettings.corpId: is required'],
    [
      { provider: 'EMAIL', emailSettings: { host: 'a\r\nb' } },
      'emailSettings.host: must not contain control characters',
    ],
    [{ xiaomiPushSettings: { $where: '1' } }, 'xiaomiPushSettings.$where: Invalid key in record'],
    [{ limits: { rate: -1 } }, 'limits.rate: Too small: expected number to be >=0'],
    [{ limits: { rate: 0.5, perMs: 86_400_000 } }, 'limits.rate: must be 0 or allow at least one per day'],
    [{ limits: { rate: '5' } }, 'limits.rate: expected number, received string'],
  ])('refuses %j', async (change, expected) => {
    const before = api.writes()
    const reply = await app.call('POST', 'notifiers', { ...xiaomi('refused'), ...change })
    expect(refusal(reply)).toEqual(parameter(expected))
    expect(api.writes()).toBe(before)
  })

  it('has unique names in an app, and each app its own', async () => {
    await app.call('POST', 'notifiers', xiaomi('twice'))
    expect(refusal(await app.call('POST', 'notifiers', xiaomi('twice')))).toEqual(
      bad(
        'duplicate_unique_property_exists',
        'DuplicateUniquePropertyExistsException',
        'notifier twice already exists',
        409,
      ),
    )
    const other = await api.app()
    expect((await other.call('GET', 'notifiers/twice')).status).toBe(404)
    expect((await other.call('PATCH', 'notifiers/twice', { disabled: true })).status).toBe(404)
    expect((await other.call('DELETE', 'notifiers/twice')).status).toBe(404)
    expect((await other.call('POST', 'notifiers', xiaomi('twice'))).status).toBe(200)
  })

  it('changes limits, settings and pause at run time, and hints at it to every process', async () => {
    await app.call('POST', 'notifiers', xiaomi('tuned'))
    const [channel] = (await api.store.channels.ofApp(await appId())).filter(({ name }) => name === 'tuned')
    const heard: string[] = []
    const listener = connect(api.api.ctx.config.redisUrl, 'endless')
    await listener.subscribe('fanfare:channel-changed')
    listener.on('message', (_topic, id) => heard.push(id))
    const patch = async (body: object) => entitiesOf((await app.call('PATCH', 'notifiers/tuned', body)).body)[0]
    expect(await patch({ limits: { rate: 5 } })).toMatchObject({ limits: { rate: 5, unit: 'request', perMs: 1000 } })
    expect(await patch({ xiaomiPushSettings: { region: 'eu' } })).toMatchObject({
      limits: { rate: 5 },
      xiaomiPushSettings: { region: 'eu' },
      packageName: 'com.example.app',
    })
    expect(await patch({ disabled: true })).toMatchObject({ disabled: true, pausedFor: 'disabled by the app' })
    expect(await patch({ disabled: false })).not.toHaveProperty('pausedFor')
    await api.store.channels.update(channel?.id ?? '', {
      pause: { by: 'credentials', reason: 'InvalidProviderToken' },
    })
    expect(entitiesOf((await app.call('GET', 'notifiers/tuned')).body)[0]).toMatchObject({
      disabled: true,
      pausedFor: 'credentials refused: InvalidProviderToken',
    })
    const resumed = await app.call('POST', 'notifiers/tuned/resume')
    expect(entitiesOf(resumed.body)[0]).toMatchObject({ disabled: false })
    expect(await api.store.channels.credential(channel?.id ?? '')).toBe(CANARY)
    await patch({ certificate: 'another-secret' })
    expect(await api.store.channels.credential(channel?.id ?? '')).toBe('another-secret')
    await until(() => heard.length === 6)
    expect(new Set(heard)).toEqual(new Set([channel?.id]))
    listener.disconnect()
  })
})

describe('users/{u}/push/binding', () => {
  const put = (user: string, body: object) => app.call('PUT', `users/${user}/push/binding`, body)
  const binding = (more: object = {}) => ({ device_id: 'd1', notifier_name: 'bound', device_token: 'ok-1', ...more })

  beforeAll(() => app.call('POST', 'notifiers', xiaomi('bound')))

  it('binds, shows the bindings of that device, and unbinds', async () => {
    const bound = await put('Alice', binding())
    expect(timestampless(bound.body)).toEqual({ entities: [binding()], action: 'put' })
    await put('alice', binding({ device_id: 'd2', device_token: 'ok-2' }))
    await app.call('POST', 'notifiers', xiaomi('second'))
    const both = await put('alice', binding({ notifier_name: 'second', device_token: 'ok-3' }))
    expect(both.body['entities']).toHaveLength(2)
    const all = await app.call('GET', 'users/alice/push/binding')
    expect(all.body).toMatchObject({ action: 'get' })
    expect(all.body['entities']).toHaveLength(3)
    const one = await put('alice', binding({ device_token: '' }))
    expect(one.body['entities']).toMatchObject([{ notifier_name: 'second' }])
    const none = await put('alice', binding({ notifier_name: '', device_token: '' }))
    expect(none.body['entities']).toEqual([])
    expect((await app.call('GET', 'users/alice/push/binding')).body['entities']).toMatchObject([{ device_id: 'd2' }])
  })

  it('gives a token to the user who binds it last', async () => {
    await put('first', binding({ device_token: 'ok-shared' }))
    await put('second', binding({ device_token: 'ok-shared' }))
    expect((await app.call('GET', 'users/first/push/binding')).body['entities']).toEqual([])
  })

  it('knows nobody who was never bound, and still knows who was unbound', async () => {
    expect(refusal(await app.call('GET', 'users/nobody/push/binding'))).toEqual(
      bad(
        'RequiredPropertyNotFoundException',
        'RequiredPropertyNotFoundException',
        'Entity user requires a property named username',
      ),
    )
    await put('gone', binding({ device_token: 'ok-gone' }))
    await put('gone', binding({ device_token: '' }))
    expect((await app.call('GET', 'users/gone/push/binding')).body['entities']).toEqual([])
  })

  it.each([
    [{ device_token: undefined }, 'device_token: expected string, received undefined'],
    [{ device_token: { $gt: '' } }, 'device_token: expected string, received object'],
    [{ device_token: 'a\r\nb' }, 'device_token: must be 1 to 4096 visible ASCII characters'],
    [{ device_token: 'x'.repeat(4097) }, 'device_token: must be 1 to 4096 visible ASCII characters'],
    [{ device_token: 'ok-1,ok-2' }, 'device_token: must not contain a comma'],
    [{ device_id: '' }, 'device_id: must be 1 to 128 visible ASCII characters'],
    [{ device_id: 'a b' }, 'device_id: must be 1 to 128 visible ASCII characters'],
    [{ notifier_name: 'none' }, 'notifier_name: no notifier none'],
    [{ notifier_name: 'a\nb' }, 'notifier_name: is no name of a notifier'],
    [{ notifier_name: 'ios', device_token: '../../x' }, 'device_token: must be 64 to 200 hex digits'],
    [{ notifier_name: 'mail', device_token: 'a@b.c,evil@x.io' }, 'device_token: must be one e-mail address'],
    [{ notifier_name: 'mail', device_token: 'victim' }, 'device_token: must be one e-mail address'],
    [{ notifier_name: 'wx', device_token: 'a|b' }, 'device_token: must be one WeCom user id'],
  ])('refuses %j', async (change, expected) => {
    const reply = await put('alice', binding(change))
    expect(refusal(reply)).toEqual(invalid(expected))
  })

  it('knows no notifier of another app', async () => {
    const other = await api.app()
    const reply = await other.call('PUT', 'users/alice/push/binding', binding())
    expect(refusal(reply)).toEqual(invalid('notifier_name: no notifier bound'))
  })
})

async function appId(): Promise<string> {
  const [, org = '', name = ''] = app.path.split('/')
  return (await api.store.apps.byName(org, name))?.id ?? ''
}
