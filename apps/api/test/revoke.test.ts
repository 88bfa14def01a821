import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import jwt from 'jsonwebtoken'
import { bad, refusal } from './refusals.ts'
import { bindUsers, message, OPERATOR, type TestApi, type TestApp, testApi, until } from './test-api.ts'

/** What an operator can take back: secrets, tokens, the app itself. In two processes on one store. */
let api: TestApi
let second: TestApi

beforeAll(async () => {
  api = await testApi()
  const { masterKey, storeUrl } = api.api.ctx.config
  second = await testApi({ config: { masterKey, storeUrl } })
})
afterAll(async () => {
  await second.close()
  await api.close()
})

const operate = (method: string, app: TestApp, what: string) =>
  api.ask(method, `/admin/apps${app.path}/${what}`, { token: OPERATOR })
const tokenWith = (app: TestApp, client_secret: string, by = api) =>
  by.ask('POST', `${app.path}/token`, {
    body: { grant_type: 'client_credentials', client_id: app.clientId, client_secret },
  })
const tokenOf = async (app: TestApp, by = api) =>
  String((await tokenWith(app, app.clientSecret, by)).body['access_token'])
const use = (app: TestApp, token: string, by = api) => by.ask('GET', `${app.path}/notifiers`, { token })
const revoked = bad('auth_bad_access_token', 'SecurityException', 'Unable to authenticate', 401)
/** Within this a change by one process is seen by every other. */
const EVERYWHERE_MS = 5000

describe('POST /admin/apps/{org}/{app}/secret', () => {
  it('answers a new secret once; the old one is refused at once in every process, tokens stay', async () => {
    const app = await api.app()
    expect((await tokenWith(app, app.clientSecret, second)).status).toBe(200)
    const reply = await operate('POST', app, 'secret')
    const { client_id, client_secret } = reply.body['data'] as { client_id: string; client_secret: string }
    expect(client_id).toBe(app.clientId)
    expect(client_secret).not.toBe(app.clientSecret)
    for (const by of [api, second]) {
      expect(refusal(await tokenWith(app, app.clientSecret, by))).toMatchObject({ error: 'invalid_grant' })
      expect((await tokenWith(app, client_secret, by)).status).toBe(200)
    }
    expect((await use(app, app.token)).status).toBe(200)
    const shown = await api.ask('GET', `/admin/apps${app.path}`, { token: OPERATOR })
    expect(shown.text).not.toContain(client_secret)
  })
})

describe('DELETE /admin/apps/{org}/{app}/tokens', () => {
  it('ends every token issued before, here at once and in other processes within 5 s, and none of another app', async () => {
    const [app, other] = [await api.app(), await api.app()]
    const tokens = [app.token, await tokenOf(app), await tokenOf(app, second)]
    for (const token of tokens) expect((await use(app, token, second)).status).toBe(200)
    const reply = await operate('DELETE', app, 'tokens')
    expect(reply.body['data']).toMatchObject({ tokens_from: expect.any(Number) })
    for (const token of tokens) expect(refusal(await use(app, token))).toEqual(revoked)
    await until(async () => (await use(app, app.token, second)).status === 401, EVERYWHERE_MS)
    for (const token of tokens) expect(refusal(await use(app, token, second))).toEqual(revoked)
    expect((await use(other, other.token, second)).status).toBe(200)
  })

  it('ends those of the same second and none that is issued after it, however often', async () => {
    const app = await api.app()
    let before = app.token
    for (let round = 0; round < 5; round++) {
      const same = await tokenOf(app, second)
      await operate('DELETE', app, 'tokens')
      expect(refusal(await use(app, before))).toEqual(revoked)
      expect(refusal(await use(app, same))).toEqual(revoked)
      // Issued by whoever has not heard of it yet: its copy of the app is a second old.
      const fresh = [await tokenOf(app), await tokenOf(app, second)]
      for (const token of fresh) {
        expect((await use(app, token)).status).toBe(200)
        expect((await use(app, token, second)).status).toBe(200)
      }
      before = fresh[0] ?? ''
    }
    // So many in one second move the first instant ahead of the clock by as many at most.
    const { iat = 0, exp = 0 } = jwt.decode(before) as jwt.JwtPayload
    expect(iat).toBeLessThanOrEqual(Math.floor(Date.now() / 1000) + 6)
    expect(exp - iat).toBe(7 * 24 * 3600)
  })
})

describe('POST /admin/apps/{org}/{app}/disable and enable', () => {
  it('refuse tokens and secrets with a clear sentence, and take them again', async () => {
    const app = await api.app()
    await bindUsers(app, { test1: 'ok-1' })
    const push = (by: TestApi) =>
      by.ask('POST', `${app.path}/push/single`, {
        token: app.token,
        body: { targets: ['test1'], pushMessage: message() },
      })
    expect((await push(second)).status).toBe(200)
    expect((await operate('POST', app, 'disable')).body['data']).toMatchObject({ disabled: true })
    const text = 'push service not open: the app is disabled by the operator'
    const disabled = bad('ServiceNotOpenException', 'ServiceNotOpenException', text, 403)
    expect(refusal(await push(api))).toEqual(disabled)
    await until(async () => (await push(second)).status === 403, EVERYWHERE_MS)
    expect(refusal(await tokenWith(app, app.clientSecret, second))).toEqual(disabled)
    expect(refusal(await tokenWith(app, 'wrong'))).toMatchObject({ error: 'invalid_grant' })
    expect((await operate('POST', app, 'disable')).status).toBe(200)
    expect((await operate('POST', app, 'enable')).body['data']).toMatchObject({ disabled: false })
    expect((await push(api)).status).toBe(200)
    await until(async () => (await push(second)).status === 200, EVERYWHERE_MS)
    expect((await tokenWith(app, app.clientSecret, second)).status).toBe(200)
  })
})

describe('all of them', () => {
  const routes = [
    ['POST', 'secret'],
    ['DELETE', 'tokens'],
    ['POST', 'disable'],
    ['POST', 'enable'],
  ] as const

  it.each(routes)('%s %s wants the operator and an app that exists', async (method, what) => {
    const app = await api.app()
    for (const token of [app.token, 'guess']) {
      expect((await api.ask(method, `/admin/apps${app.path}/${what}`, { token })).status).toBe(401)
    }
    expect((await api.ask(method, `/admin/apps${app.path}/${what}`)).status).toBe(401)
    expect((await api.ask(method, `/admin/apps/demo/none/${what}`, { token: OPERATOR })).status).toBe(404)
    expect((await use(app, app.token)).status).toBe(200)
    expect((await tokenWith(app, app.clientSecret)).status).toBe(200)
  })
})
