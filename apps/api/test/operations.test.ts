import type { App } from '@fanfare/core'
import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { type Door, onceOf } from '../src/operations/idempotency.ts'
import { pushUsers } from '../src/operations/push.ts'
import { pushAudience } from '../src/operations/push-audience.ts'
import { pushSync } from '../src/operations/push-sync.ts'
import { openRoute, type Send } from '../src/operations/send.ts'
import { fetchTask } from '../src/operations/tasks.ts'
import { bindUsers, message, type TestApi, type TestApp, testApi } from './test-api.ts'

let api: TestApi
let tenant: TestApp
let app: App

beforeAll(async () => {
  api = await testApi()
  tenant = await api.app()
  await bindUsers(tenant, { test1: 'ok-1' })
  const [org = '', name = ''] = tenant.path.slice(1).split('/')
  app = (await api.store.apps.byName(org, name)) as App
})
afterAll(() => api.close())

const send: Send = {
  message: { title: 'Hello', content: 'Through another door' },
  route: openRoute(['vendor']),
  onUnknown: 'resend',
}
/** A door that answers neither HTTP nor JSON. */
const door = (key?: string, text = 'the same'): Door => ({
  once: key === undefined ? undefined : onceOf(api.api.ctx, key, text),
  encode: (taskId) => ({ status: 0, body: `<task ${taskId}>` }),
})

it('takes pushes of every lane from a door that is not HTTP', async () => {
  const { ctx } = api.api
  const { taskId } = await pushUsers(ctx, app, { ...send, userIds: ['Test1'] }, door())
  expect(await fetchTask(ctx, app, taskId)).toMatchObject({ lane: 'single', audience: { userIds: ['test1'] } })
  const bulk = await pushAudience(ctx, app, { ...send, audience: { kind: 'everyone' } }, door())
  expect(bulk).toEqual({ taskId: bulk.taskId, answer: { status: 0, body: `<task ${bulk.taskId}>` }, isRepeat: false })
  const sync = await pushSync(
    ctx,
    app,
    { ...send, userId: 'ghost' },
    { once: undefined, encode: (_, results) => ({ status: 0, body: results.map(({ outcome }) => outcome).join() }) },
  )
  expect(sync.answer.body).toBe('rejected')
})

it('keeps what the door answered for whoever repeats the request, and for nobody else', async () => {
  const { ctx } = api.api
  const push = { ...send, userIds: ['test1'] }
  const first = await pushUsers(ctx, app, push, door('another-door'))
  expect(await pushUsers(ctx, app, push, door('another-door'))).toEqual({ ...first, isRepeat: true })
  await expect(pushUsers(ctx, app, push, door('another-door', 'other'))).rejects.toMatchObject({ code: 'KEY_REUSED' })
  const overHttp = await api.ask('POST', `${tenant.path}/push/single`, {
    token: tenant.token,
    body: { targets: ['test1'], pushMessage: message() },
    headers: { 'Idempotency-Key': 'another-door' },
  })
  expect(overHttp.status).toBe(422)
})

it('refuses routes that are not open, in our words', () => {
  expect(() => openRoute(['online', 'vendor'])).toThrow(
    expect.objectContaining({ code: 'ROUTE_NOT_OPEN', details: { route: 'online vendor' } }),
  )
})
