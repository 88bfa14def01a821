import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { type Store, StoreDownError } from '@fanfare/core'
import { connect } from '@fanfare/redis'
import { openStore } from '@fanfare/storage'
import { startRedis, tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bad, refusal } from './refusals.ts'
import { bindUsers, message, OPERATOR, type TestApi, type TestApp, testApi, until } from './test-api.ts'

let api: TestApi
let app: TestApp

beforeAll(async () => {
  api = await testApi()
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
})
afterAll(() => api.close())

const body = { targets: ['test1'], pushMessage: message() }

describe('URLs and methods', () => {
  it('refuses what is no route', async () => {
    const invalid = bad('service_resource_not_found', 'UrlInvalidException', 'url is invalid', 404)
    for (const path of ['push/none', 'push', 'push/task/1/none', 'users/x/none', 'push/device']) {
      expect(refusal(await app.call('GET', path))).toEqual(invalid)
    }
    expect((await api.ask('GET', '/admin/none', { token: OPERATOR })).body).toMatchObject({ status: 404 })
  })

  it('says at its root what it is', async () => {
    const reply = await api.ask('GET', '/')
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({
      name: 'Fanfare',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      links: { live: '/health/live', ready: '/health/ready', queues: '/admin/queues' },
    })
  })

  it('refuses other methods and says which are allowed', async () => {
    const reply = await app.call('GET', 'push/single')
    expect(refusal(reply)).toEqual(
      bad('unsupported_service_operation', 'MethodNotAllowedException', 'GET is not allowed here', 405),
    )
    expect(reply.headers.get('allow')).toBe('POST')
    expect((await app.call('PUT', 'notifiers/x')).headers.get('allow')).toBe('GET, PATCH, DELETE')
  })

  it('tells nothing of its making', async () => {
    const { headers } = await app.call('POST', 'push/single', body)
    for (const name of ['x-powered-by', 'etag', 'server']) expect(headers.get(name)).toBeNull()
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
  })

  it('answers the same whether a route is found before Express or by it', async () => {
    const asks: [string, object][] = [
      ['push/single', body],
      ['push/single', { ...body, targets: [{ $gt: '' }] }],
      ['push/async/test1', { pushMessage: message() }],
      ['push/async/test1', { pushMessage: {} }],
    ]
    for (const [path, given] of asks) {
      const [hot, through] = [await app.call('POST', path, given), await app.call('POST', `${path}/`, given)]
      const plain = ({ body: { timestamp: _at, duration: _took, ...rest }, status }: typeof hot) => ({
        status,
        ...rest,
      })
      expect(plain(through)).toEqual(plain(hot))
    }
    const foreign = await api.app()
    for (const slash of ['', '/']) {
      const reply = await api.ask('POST', `${app.path}/push/single${slash}`, { token: foreign.token, body })
      expect(reply.status).toBe(401)
    }
  })
})

describe('health', () => {
  it('is live and ready, and says how store and Redis are', async () => {
    expect((await api.ask('GET', '/health/live')).body).toEqual({ status: 'ok' })
    const ready = await api.ask('GET', '/health/ready')
    expect([ready.status, ready.body]).toEqual([200, { status: 'ok', store: 'ok', redis: 'ok' }])
  })
})

describe('starting', () => {
  it('says that its port is taken', async () => {
    const port = Number(new URL(api.url).port)
    await expect(testApi({ config: { port } })).rejects.toThrow(`port ${port} of 127.0.0.1 is taken by another program`)
  })
})

describe('stopping', () => {
  it('answers what is under way, ends its connection with the answer, and takes nothing new', async () => {
    const { promise: held, resolve: release } = withResolvers()
    const { promise: reached, resolve: reach } = withResolvers()
    const at = (point: string) => {
      if (point !== 'before-commit') return undefined
      reach()
      return held
    }
    const stopping = await testApi({ overrides: { at } })
    const own = await stopping.app()
    const before = stopping.writes()
    const underWay = own.call('POST', 'push/single', body)
    await reached
    const answered = underWay.then(({ status, headers }) => [status, headers.get('connection')])
    const closed = stopping.close()
    await expect(stopping.ask('GET', '/health/live')).rejects.toThrow()
    release()
    expect(await answered).toEqual([200, 'close'])
    expect(stopping.writes() - before).toBe(1)
    await closed
  })
})

describe('limits of the API', () => {
  it('answers 429 with Retry-After beyond the rate of an app, and lets others be (T74)', async () => {
    const limited = await api.app()
    await api.ask('PATCH', `/admin/apps${limited.path}`, { token: OPERATOR, body: { requestsPerMinute: 60 } })
    const replies = await Promise.all(Array.from({ length: 30 }, () => limited.call('GET', 'notifiers')))
    const refused = replies.filter(({ status }) => status === 429)
    expect(replies.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(10)
    expect(refused.length).toBeGreaterThan(10)
    expect(refused.map(refusal)).toContainEqual(
      bad('reach_limit', 'ReachLimitException', 'This request has reached api limit', 429),
    )
    for (const { headers } of refused) expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await app.call('GET', 'notifiers')).status).toBe(200)
  })

  it('answers 503 beyond the requests it takes at once, and accepts nothing of them (T7)', async () => {
    const { promise: held, resolve: release } = withResolvers()
    const at = (point: string) => (point === 'before-commit' ? held : undefined)
    const small = await testApi({ config: { maxInFlight: 3 }, overrides: { at } })
    try {
      const own = await small.app()
      const asked = Array.from({ length: 3 }, () => own.call('POST', 'push/single', body))
      await until(async () => (await own.call('GET', 'notifiers')).status === 503)
      const over = await own.call('POST', 'push/single', body)
      expect(refusal(over)).toEqual(
        bad(
          'service_unavailable',
          'ServiceUnavailableException',
          'too many requests under way, nothing was accepted',
          503,
        ),
      )
      expect(over.headers.get('retry-after')).toBe('1')
      expect((await small.ask('GET', '/health/live')).status).toBe(200)
      release()
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200])
      expect((await own.call('POST', 'push/single', body)).status).toBe(200)
    } finally {
      release()
      await small.close()
    }
  })
})

describe('when something is down', () => {
  it('answers 503 without the store, accepts nothing and queues nothing (T6)', async () => {
    const dir = await tempDir('store')
    const masterKey = randomBytes(32)
    const real = await openStore(`sqlite:${dir}/test.db`, { masterKey, sync: 'normal' })
    const { store, fail } = breakable(real)
    const other = await testApi({ config: { masterKey }, overrides: { store } })
    try {
      const own = await other.app()
      await bindUsers(own, { test1: 'ok-1' })
      fail(true)
      const reply = await own.call('POST', 'push/single', body)
      expect(refusal(reply)).toEqual(
        bad(
          'service_unavailable',
          'ServiceUnavailableException',
          'the store does not answer, no push was accepted',
          503,
        ),
      )
      expect(reply.headers.get('retry-after')).toBe('2')
      expect((await own.call('POST', 'push/sync/test1', body)).status).toBe(503)
      expect((await own.call('POST', 'push/task', body)).status).toBe(503)
      expect((await other.ask('GET', '/health/ready')).status).toBe(503)
      expect((await other.ask('GET', '/health/live')).status).toBe(200)
      expect(await other.jobs()).toEqual([])
      fail(false)
      expect((await own.call('POST', 'push/single', body)).status).toBe(200)
    } finally {
      await other.close()
      await rm(dir, { recursive: true, force: true })
    }
  })

  it('accepts pushes without Redis, soon (T4, T5)', async () => {
    const redis = await startRedis()
    const other = await testApi({ redis })
    try {
      const own = await other.app()
      await bindUsers(own, { test1: 'ok-1' })
      await redis.kill('SIGKILL')
      const from = Date.now()
      for (let n = 0; n < 20; n++) expect((await own.call('POST', 'push/single', body)).status).toBe(200)
      expect(Date.now() - from).toBeLessThan(5000)
      expect((await other.ask('GET', '/health/ready')).body).toEqual({ status: 'ok', store: 'ok', redis: 'down' })
    } finally {
      await other.close()
      await redis.stop()
    }
  })
})

it('says that Redis is down while it would not take a job of every queue', async () => {
  // It answers, and serves the keys of no queue.
  const redis = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  const other = await testApi({ redis })
  const readiness = async () => (await other.ask('GET', '/health/ready')).body
  try {
    expect(await readiness()).toEqual({ status: 'ok', store: 'ok', redis: 'down' })
    const connection = connect(redis.url, 'endless')
    await connection.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    connection.disconnect()
    const deadline = performance.now() + 20_000
    while ((await readiness())['redis'] === 'down' && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(await readiness()).toEqual({ status: 'ok', store: 'ok', redis: 'ok' })
  } finally {
    await other.close()
    await redis.stop()
  }
})

/** The store as it is, and as it is when it does not answer. */
function breakable(real: Store): { store: Store; fail: (down: boolean) => void } {
  let down = false
  const wrap = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (typeof value === 'object' && value !== null) return wrap(value)
        if (typeof value !== 'function' || name === 'close') return value
        return (...args: unknown[]): unknown =>
          down ? Promise.reject(new StoreDownError('stopped by the test')) : (value.apply(target, args) as unknown)
      },
    })
  const fail = (now: boolean) => {
    down = now
  }
  return { store: wrap(real), fail }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
