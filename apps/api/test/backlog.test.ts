import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Backlogs } from '../src/limits/backlog.ts'
import { bindUsers, message, OPERATOR, type TestApi, type TestApp, testApi, until } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1', test2: 'ok-2' })
})
afterAll(() => api.close())

const push = (of = app, headers: Record<string, string> = {}) =>
  of.call('POST', 'push/single', { targets: ['test1'], pushMessage: message() }, headers)

describe('the backlog of an app', () => {
  it('is bounded: beyond it 429 with Retry-After, for this app alone, until it is sent', async () => {
    const other = await api.app()
    await bindUsers(other, { test1: 'ok-3' })
    const settings = { token: OPERATOR, body: { maxBacklog: 5 } }
    expect((await api.ask('PATCH', `/admin/apps${app.path}`, settings)).status).toBe(200)
    await app.call('GET', 'notifiers')
    const statuses: number[] = []
    const ids: string[] = []
    await until(async () => {
      const reply = await push(app, { 'Idempotency-Key': `key-${statuses.length}` })
      statuses.push(reply.status)
      ids.push(reply.headers.get('fanfare-task-id') ?? '')
      return reply.status === 429
    })
    expect(statuses.slice(0, -1).every((status) => status === 200)).toBe(true)
    const refused = await push()
    expect(refused.status).toBe(429)
    expect(refused.body['error']).toBe('reach_limit')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await push(app, { 'Idempotency-Key': 'key-0' })).headers.get('fanfare-task-id')).toBe(ids[0])
    expect((await push(other)).status).toBe(200)
    for (const id of ids.slice(0, -1)) await app.call('POST', `push/task/${id}/cancel`)
    await until(async () => (await push()).status === 200)
  })

  it('costs no question as long as few were added, and one a second then', async () => {
    let asked = 0
    const openSingles = async () => {
      asked++
      return 0
    }
    const of = { id: '1', org: 'o', name: 'a', clientId: '', clientSecretHash: '', settings: {}, createdAt: new Date() }
    const backlogs = new Backlogs({ chunks: { openSingles } })
    for (let count = 0; count < 400; count++) backlogs.add(of)
    expect(asked).toBe(0)
    for (let count = 0; count < 4000; count++) backlogs.add(of)
    expect(asked).toBe(1)
  })
})

describe('a push to a paused notifier', () => {
  it('is accepted, waits in the store and is not put into Redis', async () => {
    const paused = await api.app()
    await bindUsers(paused, { test1: 'ok-4' })
    const change = await paused.call('PATCH', 'notifiers/2882303761517', { disabled: true })
    expect(change.status).toBe(200)
    const reply = await push(paused)
    expect(reply.status).toBe(200)
    const taskId = reply.headers.get('fanfare-task-id') ?? ''
    const [chunk] = await api.store.chunks.byRefs([{ taskId, seq: 0 }])
    expect(chunk).toMatchObject({ state: 'waiting', lane: 'single' })
    expect((await api.jobs()).some((key) => key.endsWith(`:${taskId}-0-0`))).toBe(false)
  })
})
