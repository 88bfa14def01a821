import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bindUsers, message, type TestApi, type TestApp, testApi, timestampless, until } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1', test2: 'ok-2' })
})
afterAll(() => api.close())

const taskOf = async (id: string | null) =>
  (await app.call('GET', `push/task/${id}`)).body['data'] as Record<string, unknown> & { taskId: number }

describe('POST push/single', () => {
  it('answers one element per target, the task id in a header, and queues one job', async () => {
    const reply = await app.call('POST', 'push/single', { targets: ['test2'], pushMessage: message() })
    expect(reply.status).toBe(200)
    expect(timestampless(reply.body)).toEqual({
      data: [{ id: 'test2', pushStatus: 'ASYNC_SUCCESS', desc: 'async success.' }],
    })
    const taskId = reply.headers.get('fanfare-task-id')
    expect(taskId).toMatch(/^[1-9]\d*$/)
    const task = await taskOf(taskId)
    expect(task).toMatchObject({ taskId: Number(taskId), state: 'sending', strategy: 2, lane: 'single', total: 1 })
    expect(task).toMatchObject({ targets: [{ id: 'test2', platform: 'xiaomi', pushStatus: 'PENDING' }] })
    await until(async () => (await api.jobs()).some((key) => key.endsWith(`:${taskId}-0-0`)))
  })

  it('delivers a repeated target once, folds case, and answers every given target', async () => {
    const body = { targets: ['test1', 'TEST1', 'test2'], pushMessage: message(), async: true, strategy: null }
    const reply = await app.call('POST', 'push/single', body)
    expect((reply.body['data'] as { id: string }[]).map(({ id }) => id)).toEqual(['test1', 'TEST1', 'test2'])
    expect(await taskOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ total: 2 })
  })

  it('keeps targets without a device, says why, and is done at once when there are no others', async () => {
    await app.call('PUT', 'users/nobody/push/binding', {
      device_id: 'd',
      notifier_name: '2882303761517',
      device_token: 'x',
    })
    await app.call('PUT', 'users/nobody/push/binding', { device_id: 'd', notifier_name: '', device_token: '' })
    const reply = await app.call('POST', 'push/single', { targets: ['nobody', 'ghost'], pushMessage: message() })
    expect(reply.body['data']).toMatchObject([{ pushStatus: 'ASYNC_SUCCESS' }, { pushStatus: 'ASYNC_SUCCESS' }])
    const task = await taskOf(reply.headers.get('fanfare-task-id'))
    expect(task).toMatchObject({
      state: 'done',
      total: 2,
      counts: { ASYNC_SUCCESS: 0, FAIL: 2, ERROR: 0, PENDING: 0 },
      reasons: { 'no push binding': 1, 'appUser not exists': 1 },
      targets: [
        { id: 'nobody', pushStatus: 'FAIL', desc: 'no push binding' },
        { id: 'ghost', pushStatus: 'FAIL', desc: 'appUser not exists' },
      ],
    })
  })

  it('makes every device of a user a member', async () => {
    for (const device_id of ['phone', 'tablet']) {
      const binding = { device_id, notifier_name: '2882303761517', device_token: `ok-${device_id}` }
      await app.call('PUT', 'users/two/push/binding', binding)
    }
    const reply = await app.call('POST', 'push/single', { targets: ['two'], pushMessage: message() })
    expect(reply.body['data']).toHaveLength(1)
    const task = await taskOf(reply.headers.get('fanfare-task-id'))
    expect(task).toMatchObject({ total: 2, targets: [{ device_id: 'phone' }, { device_id: 'tablet' }] })
  })

  it('takes 100 targets and no more', async () => {
    const targets = Array.from({ length: 101 }, (_, index) => `user${index}`)
    const few = await app.call('POST', 'push/single', { targets: targets.slice(1), pushMessage: message() })
    expect(few.status).toBe(200)
    expect(few.body['data']).toHaveLength(100)
    expect((await app.call('POST', 'push/single', { targets, pushMessage: message() })).status).toBe(400)
  })

  it('refuses strategies that need the online channel before anything is done', async () => {
    const before = api.writes()
    for (const strategy of [0, 1, 3, 4]) {
      const reply = await app.call('POST', 'push/single', { targets: ['test1'], pushMessage: message(), strategy })
      expect(reply.status).toBe(403)
      expect(timestampless(reply.body)).toEqual({
        error: 'ServiceNotOpenException',
        exception: 'ServiceNotOpenException',
        error_description: `push service not open: strategy ${strategy} needs the online channel, which does not exist yet; use strategy 2`,
      })
    }
    expect(api.writes()).toBe(before)
  })
})

describe('POST push/async/{target}', () => {
  it('answers without an id, as documented', async () => {
    const reply = await app.call('POST', 'push/async/test1', { pushMessage: message() })
    expect(timestampless(reply.body)).toEqual({ data: [{ pushStatus: 'ASYNC_SUCCESS', data: '', desc: 'success' }] })
    expect(await taskOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ total: 1, audience: { count: 1 } })
  })
})

describe('GET push/task/{id}', () => {
  it('finds neither ids that are none nor tasks of other apps', async () => {
    const reply = await app.call('POST', 'push/async/test1', { pushMessage: message() })
    const taskId = reply.headers.get('fanfare-task-id')
    const other = await api.app()
    for (const id of [taskId, '9007199254740991', '9007199254740993', '968120369184112182', '01', '1e3', '-1', 'x']) {
      const found = await other.call('GET', `push/task/${id}`)
      expect([id, found.status]).toEqual([id, 404])
      expect(timestampless(found.body)).toEqual({
        error: 'service_resource_not_found',
        exception: 'ServiceResourceNotFoundException',
        error_description: 'task not found',
      })
    }
  })
})
