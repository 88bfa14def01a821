import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { REPO_ROOT, type RedisService, startRedis, tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals'
import { readConfig } from '../src/index.ts'

/** A process reads many modules; on a busy machine that takes its time. */
jest.setTimeout(60_000)

let redis: RedisService
let dir: string

beforeAll(async () => {
  redis = await startRedis()
  dir = await tempDir('main')
})
afterAll(async () => {
  await redis.stop()
  await rm(dir, { recursive: true, force: true })
})

const env = (more: Record<string, string | undefined>): Record<string, string | undefined> => ({
  ...process.env,
  STORE_URL: `sqlite:${dir}/main.db`,
  REDIS_URL: redis.url,
  FANFARE_MASTER_KEY: randomBytes(32).toString('base64'),
  PORT: '0',
  ...more,
})

type Run = { child: ChildProcess; out: () => string; err: () => string; ended: Promise<unknown[]> }

function run(more: Record<string, string | undefined> = {}): Run {
  const args = ['--import', 'tsx', '--conditions=@fanfare/source', 'apps/api/src/main.ts']
  const child = spawn(process.execPath, args, { cwd: REPO_ROOT, env: env(more), stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  return { child, out: () => out, err: () => err, ended: once(child, 'close') }
}

it('prints one line when it is ready, and ends with 0 on SIGTERM', async () => {
  const { child, out, err, ended } = run()
  await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), ended])
  expect([out(), err()]).toEqual([expect.stringMatching(/^\{"ready":true,"url":"http:\/\/127\.0\.0\.1:\d+"\}\n$/), ''])
  const { url } = JSON.parse(out()) as { url: string }
  expect((await fetch(`${url}/health/ready`)).status).toBe(200)
  child.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
})

it('ends with 1 and one sentence where a setting is wrong', async () => {
  const { out, err, ended } = run({ FANFARE_MASTER_KEY: undefined })
  expect(await ended).toEqual([1, null])
  expect(out()).toBe('')
  expect((JSON.parse(err()) as { msg: string }).msg).toMatch(/^FANFARE_MASTER_KEY is not set/)
})

it.each([
  [{ FANFARE_MASTER_KEY: undefined }, /^FANFARE_MASTER_KEY is not set: it must be 32 bytes in base64/],
  [{ FANFARE_MASTER_KEY: 'c2hvcnQ=' }, /^FANFARE_MASTER_KEY must be 32 bytes in base64, it has 5$/],
  [{ FANFARE_ZONE: 'Mars/Olympus' }, /^FANFARE_ZONE must be an IANA time zone/],
  [{ FANFARE_HAN_WIDTH: '3' }, /^FANFARE_HAN_WIDTH must be one of 1, 2, it is 3$/],
  [{ FANFARE_TASK_TTL_HOURS: '0' }, /^FANFARE_TASK_TTL_HOURS must be a whole number from 1 to 168, it is 0$/],
  [{ PORT: '8o99' }, /^PORT must be a whole number from 0 to 65535, it is 8o99$/],
  [
    { FANFARE_OPERATOR_TOKEN: 'x'.repeat(23) },
    /^FANFARE_OPERATOR_TOKEN must have at least 24 characters \(openssl rand -hex 24\), it has 23$/,
  ],
  [
    { FANFARE_SOCKETS_PER_ADDRESS: '0' },
    /^FANFARE_SOCKETS_PER_ADDRESS must be a whole number from 1 to 1000000, it is 0$/,
  ],
  [
    { FANFARE_TRUSTED_PROXIES: '10.0.0.0/8, proxy' },
    /^FANFARE_TRUSTED_PROXIES must list addresses and CIDRs such as 10\.0\.0\.0\/8, it has proxy$/,
  ],
  [{ STORE_SYNC: 'off' }, /^STORE_SYNC must be one of full, normal, it is off$/],
  [
    { FANFARE_MAX_DEVICES_PER_USER: '0' },
    /^FANFARE_MAX_DEVICES_PER_USER must be a whole number from 1 to 1000, it is 0$/,
  ],
  [{ FANFARE_ALLOWED_ADDRESSES: '127.1' }, /^FANFARE_ALLOWED_ADDRESSES must list names, .*; "127.1" is none of these$/],
])('says in one sentence what is wrong with %j', (more, expected) => {
  expect(() => readConfig(env(more))).toThrow(expected)
})

it('takes MONGO_URI for STORE_URL, and sane defaults', () => {
  const config = readConfig({ FANFARE_MASTER_KEY: randomBytes(32).toString('base64'), MONGO_URI: 'mongodb://x/y' })
  expect(config).toMatchObject({ storeUrl: 'mongodb://x/y', storeSync: 'full', port: 8099, zone: 'UTC', hanWidth: 2 })
  expect(config.operatorToken).toBeUndefined()
  expect(readConfig(env({ FANFARE_OPERATOR_TOKEN: 'x'.repeat(24) })).operatorToken).toHaveLength(24)
})
