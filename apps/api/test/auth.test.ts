import { createHmac, createSecretKey, hkdfSync, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import jwt from 'jsonwebtoken'
import { ROUTES } from '../src/routes/index.ts'
import { bad, refusal } from './refusals.ts'
import { message, OPERATOR, type TestApi, type TestApp, testApi, timestampless, until } from './test-api.ts'

let api: TestApi
let app: TestApp
let other: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app('demo', 'one')
  other = await api.app('demo', 'two')
})
afterAll(() => api.close())

const CORRUPT = 'Unable to authenticate due to corrupt access token'
const corrupt = bad('auth_bad_access_token', 'SecurityException', CORRUPT, 401)
const missing = bad('unauthorized', 'EasemobSecurityException', 'Unable to authenticate (OAuth)', 401)
const expired = bad(
  'unauthorized',
  'EasemobSecurityException',
  'Unable to authenticate due to expired access token',
  401,
)
const tokenOf = (body: object, headers = {}) =>
  api.ask('POST', `${app.path}/token`, { raw: JSON.stringify(body), headers })
const credentials = (more: object = {}) => ({
  grant_type: 'client_credentials',
  client_id: app.clientId,
  client_secret: app.clientSecret,
  ...more,
})

describe('POST token', () => {
  it('answers a token, its seconds and the application, whatever the Content-Type', async () => {
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
      const { status, body } = await tokenOf(credentials(), { 'Content-Type': type })
      expect(status).toBe(200)
      expect(Object.keys(body).sort()).toEqual(['access_token', 'application', 'expires_in'])
      expect(body['expires_in']).toBe(604_800)
    }
  })

  it('takes a ttl; 0 never expires and still fits a Java int', async () => {
    expect((await tokenOf(credentials({ ttl: 60 }))).body['expires_in']).toBe(60)
    const { body } = await tokenOf(credentials({ ttl: 0 }))
    expect(body['expires_in']).toBe(2_147_483_647)
    expect(jwt.decode(String(body['access_token']))).not.toHaveProperty('exp')
    expect((await tokenOf(credentials({ ttl: 2_147_483_648 }))).status).toBe(400)
    expect((await tokenOf(credentials({ ttl: -1 }))).status).toBe(400)
  })

  it.each([
    [{ client_id: undefined }, 'illegal_argument', 'IllegalArgumentException', 'client_id must be provided.'],
    [{ client_secret: '' }, 'illegal_argument', 'IllegalArgumentException', 'client_secret must be provided'],
    [{ client_id: 'x' }, 'invalid_grant', 'InvalidGrantException', 'client_id does not match'],
    [{ client_secret: 'x' }, 'invalid_grant', 'InvalidGrantException', 'client_secret does not match'],
    [{ grant_type: 'password' }, 'invalid_grant', 'InvalidGrantException', 'grant_type must be client_credentials'],
  ])('refuses %j', async (change, error, exception, text) => {
    expect(refusal(await tokenOf(credentials(change)))).toEqual(bad(error, exception, text))
  })

  it('refuses operators as strings, naming the field', async () => {
    const reply = await tokenOf(credentials({ client_secret: { $gt: '' } }))
    expect(refusal(reply)).toMatchObject({
      status: 400,
      error_description: 'client_secret: expected string, received object',
    })
  })

  it('answers 429 to who guesses secrets, and lets the right one pass', async () => {
    const guessed = await api.app()
    const ask = (client_secret: string) =>
      api.ask('POST', `${guessed.path}/token`, {
        body: { grant_type: 'client_credentials', client_id: guessed.clientId, client_secret },
      })
    const statuses = new Set<number>()
    for (let tries = 0; tries < 45; tries++) statuses.add((await ask(`guess-${tries}`)).status)
    expect(statuses).toEqual(new Set([400, 429]))
    expect((await ask(guessed.clientSecret)).status).toBe(200)
  })

  it('knows no other app', async () => {
    const reply = await api.ask('POST', '/demo/none/token', { body: credentials() })
    const text = 'Could not find application for demo/none from URI: /demo/none/token'
    expect(refusal(reply)).toEqual(
      bad('organization_application_not_found', 'OrganizationApplicationNotFoundException', text, 404),
    )
  })
})

describe('every tenant route', () => {
  const tenantRoutes = ROUTES.filter((route) => route.policy === 'tenant').map(
    (route) => [route.method, route.path] as const,
  )
  const at = (path: string) => path.replaceAll(/:\w+/g, '1')
  const body = (method: string) => (method === 'GET' ? {} : { body: {} })

  it('is found in the table', () => expect(tenantRoutes.length).toBeGreaterThan(25))

  it.each(tenantRoutes)('%s %s refuses no token, a foreign one and a broken one', async (method, path) => {
    const url = app.path + at(path)
    expect(refusal(await api.ask(method, url, body(method)))).toEqual(missing)
    expect(refusal(await api.ask(method, url, { ...body(method), token: other.token }))).toEqual(corrupt)
    expect(refusal(await api.ask(method, url, { ...body(method), token: 'YWMtabc' }))).toEqual(corrupt)
    expect(refusal(await api.ask(method, url, { ...body(method), headers: { Authorization: 'Basic eDp5' } }))).toEqual(
      missing,
    )
  })
})

describe('tokens that were not made here (T99)', () => {
  const claims = () => ({ sub: idOf(app), jti: randomUUID(), aud: 'demo/one', iss: 'fanfare' })
  const idOf = ({ token }: TestApp) => (jwt.decode(token) as { sub: string }).sub
  const key = () => {
    const { masterKey } = api.api.ctx.config
    return createSecretKey(Buffer.from(hkdfSync('sha256', masterKey, '', 'fanfare app tokens', 32)))
  }
  const use = async (token: string) => refusal(await api.ask('GET', `${app.path}/notifiers`, { token }))
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

  it('accepts one signed with its key, so that the rows below fail for their reason', async () => {
    const reply = await api.ask('GET', `${app.path}/notifiers`, { token: jwt.sign(claims(), key()) })
    expect(reply.status).toBe(200)
  })

  it('refuses alg none, with and without a signature', async () => {
    const unsigned = `${part({ alg: 'none', typ: 'JWT' })}.${part(claims())}.`
    expect(await use(unsigned)).toEqual(corrupt)
    expect(await use(`${unsigned}abc`)).toEqual(corrupt)
  })

  it('refuses another key, the public part of anything, and other algorithms', async () => {
    expect(await use(jwt.sign(claims(), 'secret'))).toEqual(corrupt)
    const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims())}`
    expect(await use(`${head}.${createHmac('sha256', '').update(head).digest('base64url')}`)).toEqual(corrupt)
    expect(await use(jwt.sign(claims(), key(), { algorithm: 'HS384' }))).toEqual(corrupt)
    expect(await use(jwt.sign(claims(), key(), { algorithm: 'HS512' }))).toEqual(corrupt)
  })

  it('refuses another issuer, another audience, several audiences and another subject', async () => {
    expect(await use(jwt.sign({ ...claims(), iss: 'other' }, key()))).toEqual(corrupt)
    expect(await use(jwt.sign({ ...claims(), aud: 'demo/two' }, key()))).toEqual(corrupt)
    expect(await use(jwt.sign({ ...claims(), aud: ['demo/one', 'demo/two'] }, key()))).toEqual(corrupt)
    expect(await use(jwt.sign({ ...claims(), sub: idOf(other) }, key()))).toEqual(corrupt)
    expect(await use(jwt.sign({ ...claims(), jti: undefined }, key()))).toEqual(corrupt)
  })

  it('refuses an expired one, also where it was verified before', async () => {
    const old = jwt.sign({ ...claims(), exp: Math.floor(Date.now() / 1000) - 1 }, key())
    expect(await use(old)).toEqual(expired)
    const short = jwt.sign({ ...claims(), exp: Math.floor(Date.now() / 1000) + 1 }, key())
    expect((await api.ask('GET', `${app.path}/notifiers`, { token: short })).status).toBe(200)
    await until(async () => (await api.ask('GET', `${app.path}/notifiers`, { token: short })).status === 401)
    expect(await use(short)).toEqual(expired)
  })
})

describe('DELETE token', () => {
  it('forgets a revocation when its token has expired', async () => {
    const { tokens } = api.api.ctx
    const before = tokens.revocations
    const short = String((await tokenOf(credentials({ ttl: 2 }))).body['access_token'])
    await tokens.revoke(tokens.verify(short))
    expect(tokens.revocations).toBe(before + 1)
    await until(() => tokens.revocations === before, 20_000)
    expect(refusal(await api.ask('GET', `${app.path}/notifiers`, { token: short }))).toEqual(expired)
  })

  it('revokes the token it came with, here at once and in another process within 5 s', async () => {
    const second = await testApi({
      config: { masterKey: api.api.ctx.config.masterKey, storeUrl: api.api.ctx.config.storeUrl },
    })
    try {
      const token = String((await tokenOf(credentials())).body['access_token'])
      const there = () => second.ask('GET', `${app.path}/notifiers`, { token })
      expect((await there()).status).toBe(200)
      const reply = await api.ask('DELETE', `${app.path}/token`, { token })
      expect(timestampless(reply.body)).toEqual({ data: 'success' })
      const revoked = bad('auth_bad_access_token', 'SecurityException', 'Unable to authenticate', 401)
      expect(refusal(await api.ask('GET', `${app.path}/notifiers`, { token }))).toEqual(revoked)
      await until(async () => (await there()).status === 401)
      expect(refusal(await there())).toEqual(revoked)
      expect((await app.call('GET', 'notifiers')).status).toBe(200)
    } finally {
      await second.close()
    }
  })
})

describe('/admin', () => {
  const create = (token: string | undefined, headers = {}) =>
    api.ask('POST', '/admin/apps', { ...(token && { token }), headers, body: { org_name: 'demo', app_name: 'three' } })

  it('takes the operator token only and answers problem+json', async () => {
    for (const reply of [await create(undefined), await create('wrong'), await create(app.token)]) {
      expect(reply.status).toBe(401)
      expect(reply.headers.get('content-type')).toBe('application/problem+json')
      expect(reply.body).toMatchObject({ title: expect.any(String), status: 401, instance: '/admin/apps' })
    }
    expect((await create(OPERATOR)).status).toBe(200)
    expect((await create(OPERATOR)).body).toMatchObject({ type: 'urn:fanfare:error:NAME_TAKEN', status: 409 })
  })

  it('shows an app without its secret, and changes its settings', async () => {
    const url = `/admin${'/apps'}${other.path}`
    const change = await api.ask('PATCH', url, { token: OPERATOR, body: { maxLabels: 7 } })
    expect(change.body['data']).toMatchObject({ org_name: 'demo', app_name: 'two', settings: { maxLabels: 7 } })
    const shown = await api.ask('GET', url, { token: OPERATOR })
    expect(shown.body['data']).toMatchObject({ client_id: other.clientId, settings: { maxLabels: 7 } })
    expect(shown.text).not.toContain(other.clientSecret)
    const bad = await api.ask('PATCH', url, { token: OPERATOR, body: { maxLabels: { $gt: 0 } } })
    expect(bad.body).toMatchObject({ status: 400, detail: 'maxLabels: expected number, received object' })
    expect((await api.ask('PATCH', url, { token: OPERATOR, body: { unknown: 1 } })).status).toBe(400)
  })

  it('keeps Bull Board behind the token, as bearer or as password', async () => {
    const open = (headers: Record<string, string>) => api.ask('GET', '/admin/queues', { headers })
    const refused = await open({})
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/^Basic /)
    expect((await api.ask('GET', '/admin/queues/api/queues')).status).toBe(401)
    const page = await open({ Authorization: `Bearer ${OPERATOR}` })
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toContain('text/html')
    const basic = Buffer.from(`operator:${OPERATOR}`).toString('base64')
    expect((await open({ Authorization: `Basic ${basic}` })).status).toBe(200)
  })
})

it('pushes with a token of the application id in place of org and name', async () => {
  const id = (jwt.decode(app.token) as { sub: string }).sub
  const reply = await api.ask('POST', `/app-id/${id}/push/single`, {
    token: app.token,
    body: { targets: ['x'], pushMessage: message() },
  })
  expect(reply.status).toBe(200)
})
