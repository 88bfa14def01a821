import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { REPO_ROOT, type RedisService, startRedis, tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { readConfig } from '../src/index.ts'
import { message, type TestApi, testApi, xiaomi } from './test-api.ts'

jest.setTimeout(60_000)

/** A master key is replaced while everything goes on: one store, one process after the other with other keys. */
const [OLD, NEW] = [randomBytes(32), randomBytes(32)]
let redis: RedisService
let dir: string
const open: TestApi[] = []

beforeAll(async () => {
  redis = await startRedis()
  dir = await tempDir('rotation')
})
afterAll(async () => {
  for (const api of open) await api.close()
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

async function apiWith(env: Record<string, string>): Promise<TestApi> {
  const { masterKey, masterKeys } = readConfig(env)
  const config = { masterKey, storeUrl: `sqlite:${dir}/test.db`, ...(masterKeys && { masterKeys }) }
  const api = await testApi({ redis, config })
  open.push(api)
  return api
}

/** The command, as an operator runs it. */
async function reseal(env: Record<string, string>): Promise<{ out: unknown; code: number | null }> {
  const args = ['--import', 'tsx', '--conditions=@fanfare/source', 'apps/worker/src/reseal.ts']
  const child = spawn(process.execPath, args, {
    cwd: REPO_ROOT,
    env: { PATH: process.env['PATH'], STORE_URL: `sqlite:${dir}/test.db`, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const out = await text(child.stdout)
  return { out: JSON.parse(out) as unknown, code: await ended }
}

const base64 = (...keys: Buffer[]) => keys.map((key) => key.toString('base64')).join(', ')

it('keeps tokens, replays and credentials through a rotation, and needs the old key no more after it', async () => {
  const before = await apiWith({ FANFARE_MASTER_KEY: base64(OLD) })
  const app = await before.app()
  await app.call('POST', 'notifiers', xiaomi('one'))
  const body = { targets: ['test1'], pushMessage: message() }
  const send = (api: TestApi, token: string, given: object = body) =>
    api.ask('POST', `${app.path}/push/single`, { token, body: given, headers: { 'Idempotency-Key': 'k1' } })
  const first = await send(before, app.token)

  const rotating = await apiWith({ FANFARE_MASTER_KEYS: base64(NEW), FANFARE_MASTER_KEY: base64(OLD) })
  const again = await send(rotating, app.token)
  expect([again.status, again.headers.get('idempotent-replayed'), again.text]).toEqual([200, 'true', first.text])
  expect((await send(rotating, app.token, { ...body, targets: ['test2'] })).status).toBe(422)
  const credentials = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: app.clientSecret }
  const fresh = await rotating.ask('POST', `${app.path}/token`, { body: credentials })
  const token = String(fresh.body['access_token'])
  expect((await send(rotating, token)).headers.get('idempotent-replayed')).toBe('true')
  // A process that has not heard of the new key knows its tokens as little as any other's.
  expect((await send(before, token)).status).toBe(401)
  expect((await rotating.ask('POST', `${app.path}/notifiers`, { token, body: xiaomi('two') })).status).toBe(200)

  const keys = { FANFARE_MASTER_KEYS: base64(NEW, OLD) }
  expect(await reseal(keys)).toEqual({ out: { resealed: 1, failed: [] }, code: 0 })
  expect(await reseal(keys)).toEqual({ out: { resealed: 0, failed: [] }, code: 0 })

  const after = await apiWith({ FANFARE_MASTER_KEY: base64(NEW) })
  const notifiers = await after.ask('GET', `${app.path}/notifiers`, { token })
  expect(notifiers.body['entities']).toMatchObject([{ name: 'one' }, { name: 'two' }])
  const { id: appId } = (await after.store.apps.byName(...(app.path.split('/').slice(1) as [string, string]))) ?? {}
  const channels = await after.store.channels.ofApp(appId ?? '')
  const opened = await Promise.all(channels.map(({ id }) => after.store.channels.credential(id)))
  expect(opened).toEqual(['app-secret-canary', 'app-secret-canary'])
  expect((await send(after, app.token)).status).toBe(401)
  expect(await reseal({ FANFARE_MASTER_KEY: base64(OLD) })).toMatchObject({ code: 1 })
})

it.each([
  [{ FANFARE_MASTER_KEYS: `${base64(NEW)},c2hvcnQ=` }, /^FANFARE_MASTER_KEYS must be 32 bytes in base64, it has 5$/],
  [{ FANFARE_MASTER_KEYS: ' , ' }, /^FANFARE_MASTER_KEY is not set/],
])('says in one sentence what is wrong with %j', (env, expected) => {
  expect(() => readConfig(env)).toThrow(expected)
})
