import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bad, parameter, refusal } from './refusals.ts'
import { bindUsers, message, OPERATOR, type TestApi, type TestApp, testApi, timestampless } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  await lift(app)
  await bindUsers(app, { test1: 'ok-1' })
  await app.call('POST', 'push/label', { name: 'a' })
  await app.call('POST', 'push/label', { name: 'b' })
})
afterAll(() => api.close())

const lift = (of: TestApp) =>
  api.ask('PATCH', `/admin/apps${of.path}`, { token: OPERATOR, body: { maxRunningTasks: 1000, maxTasksPer5Min: 1000 } })
const push = (path: string, more: object = {}, by = app) => by.call('POST', path, { pushMessage: message(), ...more })
const detail = async (id: unknown, by = app) =>
  (await by.call('GET', `push/task/${String(id)}`)).body['data'] as Record<string, unknown>

describe('sends that make a task', () => {
  it('push/task answers the bare id, and the task waits for its planner', async () => {
    const reply = await push('push/task', { pushMessage: message({ sub_title: 'Sub' }) })
    expect(timestampless(reply.body)).toEqual({ data: expect.any(Number) })
    expect(String(reply.body['data'])).toBe(reply.headers.get('fanfare-task-id'))
    expect(await detail(reply.body['data'])).toMatchObject({
      taskId: reply.body['data'],
      state: 'planning',
      lane: 'bulk',
      audience: { kind: 'everyone' },
      planned: 0,
      counts: { ASYNC_SUCCESS: 0, FAIL: 0, ERROR: 0, PENDING: 0 },
    })
    const [task] = await api.store.tasks.byIds([String(reply.body['data'])])
    expect(task?.message).toEqual({ title: 'Order', content: 'Shipped', subTitle: 'Sub' })
  })

  it('push/list/label answers {taskId}; labels are the intersection, each once', async () => {
    const reply = await push('push/list/label', { targets: ['a', 'b', 'a'] })
    expect(timestampless(reply.body)).toEqual({ data: { taskId: expect.any(Number) } })
    const { taskId } = reply.body['data'] as { taskId: number }
    expect(await detail(taskId)).toMatchObject({ audience: { kind: 'labels', labels: ['a', 'b'] } })
  })

  it('push/list takes users, or labels with pushFunc LABEL', async () => {
    const users = await push('push/list', { targets: ['Test1', 'test1', 'test2'] })
    const first = users.body['data'] as { taskId: number }
    expect(await detail(first.taskId)).toMatchObject({ audience: { kind: 'users', count: 2 } })
    const labels = await push('push/list', { targets: ['a'], pushFunc: 'LABEL' })
    const second = labels.body['data'] as { taskId: number }
    expect(await detail(second.taskId)).toMatchObject({ audience: { kind: 'labels', labels: ['a'] } })
  })

  it('refuses unknown labels, too many labels, and strategies of the online channel', async () => {
    const before = api.writes()
    expect(refusal(await push('push/list/label', { targets: ['a', 'none'] }))).toEqual(
      bad('ResourceNotFoundException', 'ResourceNotFoundException', 'push label not exists of none'),
    )
    expect(refusal(await push('push/list/label', { targets: ['a', 'b', 'c', 'd'] }))).toEqual(
      parameter('targets: at most 3 labels'),
    )
    for (const path of ['push/task', 'push/list/label', 'push/list']) {
      expect((await push(path, { targets: ['a'], strategy: 3 })).status).toBe(403)
    }
    expect(api.writes()).toBe(before)
  })

  it('knows no label of another app', async () => {
    const other = await api.app()
    expect((await push('push/list/label', { targets: ['a'] }, other)).status).toBe(400)
  })
})

describe('limits on tasks', () => {
  it('takes 3 running ones and 3 within 5 minutes, exactly, also when asked at once', async () => {
    // A pause between counting and making shows whether two requests can both see room for the last one.
    const at = (point: string) => (point === 'before-commit' ? sleep(30) : undefined)
    const slow = await testApi({ overrides: { at } })
    try {
      const other = await slow.app()
      const replies = await Promise.all(Array.from({ length: 8 }, () => push('push/task', {}, other)))
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(3)
      const limited = replies.filter(({ status }) => status === 403)
      expect(limited).toHaveLength(5)
      expect(limited.map(refusal)).toContainEqual(
        bad('LimitException', 'LimitException', 'limit request: 3 tasks are running', 403),
      )
      for (const { body } of replies)
        if (body['data']) await other.call('POST', `push/task/${String(body['data'])}/cancel`)
      expect(refusal(await push('push/task', {}, other))).toEqual(
        bad('LimitException', 'LimitException', 'limit request: 3 tasks were created within 5 minutes', 403),
      )
      expect((await push('push/single', { targets: ['x'] }, other)).status).toBe(200)
    } finally {
      await slow.close()
    }
  })
})

describe('startDate', () => {
  const text = (at: Date) => at.toISOString().slice(0, 19).replace('T', ' ')
  const inMs = (ms: number) => text(new Date(Date.now() + ms))

  it('schedules for any instant of the next 30 days', async () => {
    const startDate = inMs(3_600_000)
    const reply = await push('push/task', { startDate })
    expect(await detail(reply.body['data'])).toMatchObject({
      state: 'scheduled',
      starts: Date.parse(`${startDate.replace(' ', 'T')}Z`),
      expires: Date.parse(`${startDate.replace(' ', 'T')}Z`) + 24 * 3_600_000,
    })
    expect((await push('push/list/label', { targets: ['a'], startDate: inMs(5000) })).status).toBe(200)
    expect((await push('push/task', { startDate: null })).status).toBe(200)
  })

  it.each([
    ['the past', () => inMs(-5000), 'startDate: must be in the future (zone UTC)'],
    ['31 days', () => inMs(31 * 24 * 3_600_000), 'startDate: must be at most 30 days ahead'],
    ['ISO 8601', () => new Date().toISOString(), 'startDate: must be yyyy-MM-dd HH:mm:ss'],
    ['a day that is none', () => '2030-02-30 00:00:00', 'startDate: must be yyyy-MM-dd HH:mm:ss'],
    ['an operator', () => ({ $gt: '' }), 'startDate: expected string, received object'],
  ])('refuses %s', async (_name, startDate, expected) => {
    expect(refusal(await push('push/task', { startDate: startDate() }))).toEqual(parameter(expected))
  })
})

describe('pause, resume, cancel, rate, canary', () => {
  it('changes the state of a task and says what cannot be', async () => {
    const { body } = await push('push/task')
    const at = (action: string) => app.call('POST', `push/task/${String(body['data'])}/${action}`)
    expect((await at('pause')).body['data']).toMatchObject({ state: 'paused' })
    expect((await at('pause')).body['data']).toMatchObject({ state: 'paused' })
    expect((await at('resume')).body['data']).toMatchObject({ state: 'planning' })
    expect((await at('cancel')).body['data']).toMatchObject({ state: 'cancelled' })
    expect(refusal(await at('pause'))).toEqual(parameter('task: is cancelled, it cannot become paused'))
    expect((await at('resume')).body['data']).toMatchObject({ state: 'cancelled' })
  })

  it('resumes a scheduled task as scheduled', async () => {
    const startDate = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19).replace('T', ' ')
    const { body } = await push('push/task', { startDate })
    await app.call('POST', `push/task/${String(body['data'])}/pause`)
    const resumed = await app.call('POST', `push/task/${String(body['data'])}/resume`)
    expect(resumed.body['data']).toMatchObject({ state: 'scheduled' })
  })

  it('cancels the members that were not sent', async () => {
    const reply = await push('push/single', { targets: ['test1'] })
    const id = reply.headers.get('fanfare-task-id')
    await app.call('POST', `push/task/${id}/cancel`)
    expect(await detail(id)).toMatchObject({
      state: 'cancelled',
      counts: { FAIL: 1, PENDING: 0 },
      targets: [{ id: 'test1', pushStatus: 'FAIL', desc: 'cancelled' }],
    })
  })

  it('takes a rate and a canary, and changes the rate', async () => {
    const { body } = await push('push/task', { rate: 100, canary: { percent: 1, maxFailPercent: 20 } })
    const id = String(body['data'])
    expect(await detail(id)).toMatchObject({ rate: 100, canary: { percent: 1, maxFailPercent: 20, state: 'running' } })
    const patched = await app.call('PATCH', `push/task/${id}`, { rate: 5 })
    expect(patched.body['data']).toMatchObject({ rate: 5 })
    expect((await app.call('PATCH', `push/task/${id}`, { rate: null })).body['data']).not.toHaveProperty('rate')
    for (const change of [
      {},
      { rate: 0 },
      { rate: '5' },
      { state: 'done' },
      { canary: { percent: 1, maxFailPercent: 1 } },
    ]) {
      expect((await app.call('PATCH', `push/task/${id}`, change)).status).toBe(400)
    }
  })

  it('belongs to the app', async () => {
    const { body } = await push('push/task')
    const other = await api.app()
    for (const action of ['pause', 'resume', 'cancel']) {
      expect((await other.call('POST', `push/task/${String(body['data'])}/${action}`)).status).toBe(404)
    }
    expect((await other.call('PATCH', `push/task/${String(body['data'])}`, { rate: 1 })).status).toBe(404)
    expect((await other.call('GET', `push/task/${String(body['data'])}/results`)).status).toBe(404)
    expect(await detail(body['data'])).toMatchObject({ state: 'planning' })
  })
})

describe('GET push/tasks and results', () => {
  it('pages tasks, newest first, without single pushes', async () => {
    const own = await api.app()
    await lift(own)
    const ids: unknown[] = []
    for (let n = 0; n < 5; n++) ids.unshift((await push('push/task', {}, own)).body['data'])
    await push('push/single', { targets: ['x'] }, own)
    const page = async (query: string) =>
      (await own.call('GET', `push/tasks${query}`)).body['data'] as { tasks: { taskId: number }[] } & Record<
        string,
        unknown
      >
    const first = await page('?page=0&size=3')
    expect(first).toMatchObject({ page: 0, size: 3, total: 5 })
    const second = await page('?page=1&size=3')
    expect([...first.tasks, ...second.tasks].map(({ taskId }) => taskId)).toEqual(ids)
    expect((await page('')).tasks).toHaveLength(5)
  })

  it('pages the targets of one status with their reasons', async () => {
    const targets = ['test1', ...Array.from({ length: 7 }, (_, index) => `ghost${index}`)]
    const reply = await push('push/single', { targets })
    const id = reply.headers.get('fanfare-task-id')
    const found: { id: string; pushStatus: string; desc: string }[] = []
    let cursor: unknown = ''
    do {
      const { body } = await app.call('GET', `push/task/${id}/results?status=FAIL&limit=3&cursor=${String(cursor)}`)
      found.push(...(body['data'] as typeof found))
      cursor = body['cursor']
    } while (cursor !== undefined)
    expect(found.map((each) => each.id)).toEqual(targets.slice(1))
    expect(new Set(found.map(({ desc }) => desc))).toEqual(new Set(['appUser not exists']))
    const all = await app.call('GET', `push/task/${id}/results`)
    expect(all.body['data']).toHaveLength(8)
    expect(all.body).not.toHaveProperty('cursor')
    expect((await app.call('GET', `push/task/${id}/results?status=none`)).status).toBe(400)
    expect(all.text).not.toContain('ok-1')
  })
})
