import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Log, Store } from '@fanfare/core'
import { connect } from '@fanfare/redis'
import { openStore } from '@fanfare/storage'
import { type RedisService, startRedis, tempDir } from '@fanfare/testkit'
import { jest } from '@jest/globals'
import { API_DEFAULTS, type ApiConfig, ApiService, type Parts } from '../src/index.ts'

/** Starting servers takes long where other programs keep the processors busy. */
jest.setTimeout(30_000)

export const OPERATOR = 'operator-token-of-the-tests'

export type Reply = { status: number; headers: Headers; text: string; body: Record<string, unknown> }
export type Ask = { token?: string; body?: unknown; raw?: string | Uint8Array; headers?: Record<string, string> }

/** One app with its token; `call` goes below its prefix. */
export type TestApp = {
  path: string
  clientId: string
  clientSecret: string
  token: string
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Reply>
}

export type TestApi = {
  api: ApiService
  url: string
  store: Store
  /** Writes of tasks, labels, devices and channels so far: what must not grow on bad input. */
  writes(): number
  /** Keys of BullMQ jobs in Redis. */
  jobs(): Promise<string[]>
  ask(method: string, path: string, ask?: Ask): Promise<Reply>
  app(org?: string, name?: string): Promise<TestApp>
  close(): Promise<void>
}

export type TestOptions = {
  config?: Partial<ApiConfig>
  overrides?: Partial<Parts>
  redis?: RedisService
  storeUrl?: string
}

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** A real API: SQLite file, redis-server, HTTP on a free port. Close it. */
export async function testApi(options: TestOptions = {}): Promise<TestApi> {
  const dir = await tempDir('api')
  const redis = options.redis ?? (await startRedis())
  const config = configOf(redis.url, { storeUrl: options.storeUrl ?? `sqlite:${dir}/test.db`, ...options.config })
  const counted = countWrites(
    options.overrides?.store ??
      (await openStore(config.storeUrl, { masterKey: config.masterKeys ?? config.masterKey, sync: 'normal' })),
  )
  const api = await ApiService.create(config, { log: silent, ...options.overrides, store: counted.store })
  const end = async () => {
    await api.destroy()
    await counted.store.close()
    if (!options.redis) await redis.stop()
    await rm(dir, { recursive: true, force: true })
  }
  await api.start().catch((error: unknown) => end().then(() => Promise.reject(error)))
  const inspector = connect(redis.url, 'endless')
  const ask = (method: string, path: string, given: Ask = {}) => request(api.url + path, method, given)
  return {
    api,
    url: api.url,
    store: counted.store,
    writes: counted.writes,
    jobs: async () => (await inspector.keys('{fanfare:*}:*')).filter((key) => /:\d+-\d+(-\d+)?$/.test(key)),
    ask,
    app: (org = 'demo', name = `app${randomBytes(4).toString('hex')}`) => makeApp(ask, org, name),
    close: async () => {
      inspector.disconnect()
      await end()
    },
  }
}

export const configOf = (redisUrl: string, more: Partial<ApiConfig>): ApiConfig => ({
  ...API_DEFAULTS,
  redisUrl,
  storeSync: 'normal',
  masterKey: randomBytes(32),
  operatorToken: OPERATOR,
  port: 0,
  logLevel: 'silent',
  ...more,
})

const WRITES = ['create', 'insert', 'bind', 'unbind', 'addUsers', 'removeUsers', 'update', 'remove'] as const

function countWrites(store: Store): { store: Store; writes: () => number } {
  let writes = 0
  const counting = <T extends object>(part: T): T =>
    new Proxy(part, {
      get(target, name) {
        const value = Reflect.get(target, name) as unknown
        if (typeof value !== 'function') return value
        if ((WRITES as readonly unknown[]).includes(name)) writes++
        return value.bind(target) as unknown
      },
    })
  const { tasks, labels, devices, channels } = store
  const parts = {
    tasks: counting(tasks),
    labels: counting(labels),
    devices: counting(devices),
    channels: counting(channels),
  }
  const whole = new Proxy(store, {
    get(target, name) {
      if (name in parts) return parts[name as keyof typeof parts]
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { store: whole, writes: () => writes }
}

async function request(url: string, method: string, { token, body, raw, headers }: Ask): Promise<Reply> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const response = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(sent !== undefined && { body: sent }),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} }
}

async function makeApp(ask: TestApi['ask'], org: string, name: string): Promise<TestApp> {
  const made = await ask('POST', '/admin/apps', { token: OPERATOR, body: { org_name: org, app_name: name } })
  const { client_id, client_secret } = made.body['data'] as { client_id: string; client_secret: string }
  const path = `/${org}/${name}`
  const answer = await ask('POST', `${path}/token`, {
    body: { grant_type: 'client_credentials', client_id, client_secret },
  })
  const token = String(answer.body['access_token'])
  const call: TestApp['call'] = (method, below, body, headers) =>
    ask(method, `${path}/${below}`, { token, ...(body !== undefined && { body }), ...(headers && { headers }) })
  return { path, clientId: client_id, clientSecret: client_secret, token, call }
}

/** A notifier of Xiaomi: it needs no key pair. */
export const xiaomi = (name = '2882303761517') => ({
  name,
  provider: 'XIAOMIPUSH',
  certificate: 'app-secret-canary',
  packageName: 'com.example.app',
})

/** Adds a Xiaomi channel and binds one device each to the users. */
export async function bindUsers(app: TestApp, users: Record<string, string>, name = '2882303761517'): Promise<void> {
  await app.call('POST', 'notifiers', xiaomi(name))
  for (const [user, token] of Object.entries(users)) {
    await app.call('PUT', `users/${user}/push/binding`, {
      device_id: `phone-of-${user}`,
      notifier_name: name,
      device_token: token,
    })
  }
}

export const message = (more: object = {}) => ({ title: 'Order', content: 'Shipped', ...more })

export const timestampless = (body: Record<string, unknown>): Record<string, unknown> => {
  const { timestamp, duration, ...rest } = body
  if (typeof timestamp !== 'number' || typeof duration !== 'number') throw new Error('no timestamp or no duration')
  return rest
}

/** Asks until it is so; the machine may be busy, so the deadline is generous. */
export async function until(done: () => Promise<boolean> | boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
