import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { bad, refusal } from './refusals.ts'
import { bindUsers, message, type TestApi, type TestApp, testApi, until } from './test-api.ts'

let one: TestApi
let two: TestApi
let app: TestApp

beforeAll(async () => {
  one = await testApi()
  const { masterKey, storeUrl, redisUrl } = one.api.ctx.config
  two = await testApi({ config: { masterKey, storeUrl, redisUrl } })
  app = await one.app()
  await bindUsers(app, { test1: 'ok-1' })
})
afterAll(async () => {
  await two.close()
  await one.close()
})

const body = { targets: ['test1'], pushMessage: message() }
const push = (key: string, given: object = body, api = one) =>
  api.ask('POST', `${app.path}/push/single`, {
    token: app.token,
    body: given,
    headers: { 'Idempotency-Key': key },
  })

it('answers a repetition with the first answer, byte for byte, and makes no second task (T3)', async () => {
  const first = await push('key-1')
  const again = await push('key-1', body, two)
  expect(again.status).toBe(first.status)
  expect(again.text).toBe(first.text)
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(first.headers.get('idempotent-replayed')).toBeNull()
  expect(again.headers.get('fanfare-task-id')).toBe(first.headers.get('fanfare-task-id'))
})

it('makes 50 tasks of 50 keys that are used 20 times at once on two processes (T9)', async () => {
  const ids = new Map<string, Set<string | null>>()
  for (let round = 0; round < 5; round++) {
    const asked = Array.from({ length: 200 }, async (_, index) => {
      const key = `t9-${round}-${index % 10}`
      const reply = await push(key, body, index % 20 < 10 ? one : two)
      expect(reply.status).toBe(200)
      ids.set(key, (ids.get(key) ?? new Set()).add(reply.headers.get('fanfare-task-id')))
    })
    await Promise.all(asked)
  }
  expect(ids.size).toBe(50)
  expect([...ids.values()].map((set) => set.size)).toEqual(Array.from({ length: 50 }, () => 1))
  expect(new Set([...ids.values()].flatMap((set) => [...set])).size).toBe(50)
})

it('refuses the same key with any other body, path or method and sends nothing (T10)', async () => {
  const first = await push('t10')
  const jobId = `:${first.headers.get('fanfare-task-id')}-0-0`
  await until(async () => (await one.jobs()).some((key) => key.endsWith(jobId)))
  const reused = bad(
    'idempotency_key_reused',
    'IdempotencyKeyReusedException',
    'this Idempotency-Key was used with another request',
    422,
  )
  const text = JSON.stringify(body)
  const jobs = (await one.jobs()).length
  for (let index = 0; index < 1000; index += 5) {
    const raw = `${text.slice(0, -1)},"x":${index}}`
    const reply = await one.ask('POST', `${app.path}/push/single`, {
      token: app.token,
      raw,
      headers: { 'Idempotency-Key': 't10', 'Content-Type': 'application/json' },
    })
    expect(refusal(reply)).toEqual(reused)
  }
  const elsewhere = {
    token: app.token,
    raw: text,
    headers: { 'Idempotency-Key': 't10', 'Content-Type': 'application/json' },
  }
  expect(refusal(await one.ask('POST', `${app.path}/push/async/test1`, elsewhere))).toEqual(reused)
  expect(refusal(await one.ask('POST', `${app.path}/push/task`, elsewhere))).toEqual(reused)
  expect((await one.jobs()).length).toBe(jobs)
})

it('belongs to one app', async () => {
  const first = await push('shared')
  const other = await one.app()
  const reply = await other.call('POST', 'push/single', body, { 'Idempotency-Key': 'shared' })
  expect(reply.status).toBe(200)
  expect(reply.headers.get('idempotent-replayed')).toBeNull()
  expect(reply.headers.get('fanfare-task-id')).not.toBe(first.headers.get('fanfare-task-id'))
})

it('does not keep refused requests', async () => {
  expect((await push('refused', { targets: [] })).status).toBe(400)
  expect((await push('refused')).status).toBe(200)
})

it('replays a task although the limit on tasks is reached by now', async () => {
  const other = await one.app()
  const task = (key: string) => other.call('POST', 'push/task', { pushMessage: message() }, { 'Idempotency-Key': key })
  const first = await task('a')
  await task('b')
  await task('c')
  expect((await task('d')).status).toBe(403)
  const again = await task('a')
  expect([again.status, again.text]).toEqual([200, first.text])
})

it('refuses keys that are no keys', async () => {
  for (const key of ['a b', 'x'.repeat(256)]) expect((await push(key)).status).toBe(400)
})
