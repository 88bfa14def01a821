import { type Store, StoreDownError } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals'
import { bad, refusal } from './refusals.ts'
import { bindUsers, message, type TestApi, type TestApp, testApi } from './test-api.ts'

const UNKNOWN = bad(
  'service_unavailable',
  'OutcomeUnknownException',
  'the store did not say in time whether it has the push, the outcome is unknown: repeat it with the same Idempotency-Key; without one a repeat may send twice',
  503,
)
/** What the next write of a task comes to. */
let fate: 'as usual' | 'answer lost' | 'not written' | 'late' = 'as usual'
/** Lets the late write begin. */
let begin: () => void = () => undefined
const created = new Set<string>()
let api: TestApi
let app: TestApp

beforeAll(async () => {
  const file = `${await tempDir('outcome')}/store.db`
  const masterKey = Buffer.alloc(32, 7)
  const store = await openStore(`sqlite:${file}`, { masterKey, sync: 'normal' })
  api = await testApi({ config: { masterKey }, overrides: { store: unsure(store) } })
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
  await app.call('POST', 'push/label', { name: 'vip', description: '' })
  const maxTasks = { maxRunningTasks: 100, maxTasksPer5Min: 100 }
  const path = `/admin/apps${app.path}`
  await api.ask('PATCH', path, { token: api.api.ctx.config.operatorToken ?? '', body: maxTasks })
})
beforeEach(() => {
  fate = 'as usual'
})
afterAll(() => api.close())

function unsure(store: Store): Store {
  const create: Store['tasks']['create'] = async (tasks) => {
    const now = fate
    fate = 'as usual'
    if (now === 'not written') throw new StoreDownError('never reached', { nothingWritten: true })
    if (now === 'late')
      await new Promise<void>((resolve) => {
        begin = resolve
      })
    const results = await store.tasks.create(tasks)
    for (const [index, { task }] of tasks.entries()) if (results[index] === 'created') created.add(task.id)
    if (now === 'answer lost') throw new StoreDownError('the connection broke')
    return results
  }
  return { ...store, tasks: { ...store.tasks, create } }
}

const tasks = (): number => created.size

const pushMessage = message()
const SENDS: [route: string, body: object][] = [
  ['push/single', { targets: ['test1'], pushMessage }],
  ['push/async/test1', { pushMessage }],
  ['push/list', { targets: ['test1'], pushMessage }],
  ['push/list/label', { targets: ['vip'], pushMessage }],
  ['push/task', { pushMessage }],
]

it.each(SENDS)('POST %s says that the outcome is unknown; a repeat with its key is one push', async (route, body) => {
  const key = { 'Idempotency-Key': `unknown-${route}` }
  const before = tasks()
  fate = 'answer lost'
  const first = await app.call('POST', route, body, key)
  expect(refusal(first)).toEqual(UNKNOWN)
  expect(first.headers.get('retry-after')).toBeNull()
  const again = await app.call('POST', route, body, key)
  expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
  expect(tasks()).toBe(before + 1)
})

it.each([
  ['push/sync/test1', { pushMessage }],
  ['push/single', { targets: ['test1'], async: false, pushMessage }],
])('POST %s at once says so too, and is not sent at the repeat', async (route, body) => {
  const key = { 'Idempotency-Key': `unknown-sync-${route}` }
  const before = tasks()
  fate = 'answer lost'
  const first = await app.call('POST', route, body, key)
  expect(refusal(first)).toEqual(UNKNOWN)
  expect(first.headers.get('retry-after')).toBeNull()
  expect((await app.call('POST', route, body, key)).status).toBe(409)
  expect(tasks()).toBe(before + 1)
})

it.each([...SENDS, ['push/sync/test1', { pushMessage }] as [string, object]])(
  'POST %s says that nothing was accepted where that is certain',
  async (route, body) => {
    const before = tasks()
    fate = 'not written'
    const reply = await app.call('POST', route, body)
    expect(refusal(reply)).toEqual(
      bad('service_unavailable', 'ServiceUnavailableException', 'the store does not answer, no push was accepted', 503),
    )
    expect(reply.headers.get('retry-after')).toBe('2')
    expect(tasks()).toBe(before)
  },
)

it('says so where the store answers too late, and has the push once although it was written twice', async () => {
  const key = { 'Idempotency-Key': 'late' }
  const body = { targets: ['test1'], pushMessage }
  const before = tasks()
  fate = 'late'
  const first = await app.call('POST', 'push/single', body, key)
  expect(refusal(first)).toEqual(UNKNOWN)
  const second = await app.call('POST', 'push/single', body, key)
  expect(second.status).toBe(200)
  begin()
  const third = await app.call('POST', 'push/single', body, key)
  expect([third.text, third.headers.get('idempotent-replayed')]).toEqual([second.text, 'true'])
  expect(tasks()).toBe(before + 1)
})
