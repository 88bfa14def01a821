import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { FAULT_KINDS } from '../src/faults.ts'
import type { Simulator, SimulatorClient } from '../src/index.ts'
import { BEHAVIOURS, simulatorClient, startSimulator } from '../src/index.ts'
import { Journal } from '../src/journal/journal.ts'
import { countWindows } from '../src/journal/windows.ts'
import { DEFAULT_SETTINGS } from '../src/settings.ts'
import { http1 } from './support.ts'

// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator
let client: SimulatorClient
beforeAll(async () => {
  simulator = await startSimulator()
  client = simulatorClient(simulator.controlUrl)
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

const push = (token: string, text = 'Text', project = 'p1') =>
  http1(simulator, `/v1/projects/${project}/messages:send`, {
    headers: { authorization: 'Bearer ok-secret', 'content-type': 'application/json' },
    body: JSON.stringify({ message: { token, notification: { title: 'Hi', body: text } } }),
  })

describe('the control API', () => {
  it('counts arrivals, messages and duplicates', async () => {
    for (const [token, text] of [
      ['ok-1', 'a'],
      ['ok-1', 'a'],
      ['ok-1', 'b'],
      ['gone-1', 'a'],
      ['busy-1', 'a'],
    ]) {
      await push(token as string, text)
    }
    const expected = { requests: 5, arrivals: 5, accepted: 3, unique: 2, duplicates: 1, uniqueTokens: 3 }
    expect(await client.counts()).toEqual({ ...expected, byVendor: { fcm: expected }, tokenCalls: {} })
    expect(await client.tokens({ duplicates: true })).toEqual([
      { vendor: 'fcm', token: 'ok-1', accepted: 3, duplicates: 1 },
    ])
    expect((await client.arrivalsOf('fcm', 'ok-1')).map(({ accepted }) => accepted)).toEqual([true, true, true])
    expect((await client.arrivalsOf('fcm', 'gone-1')).map(({ accepted }) => accepted)).toEqual([false])
    await client.resetJournal()
    expect((await client.counts()).arrivals).toBe(0)
  })

  it('counts a message once whatever its time to live', async () => {
    for (const ttl of ['60s', '59s']) {
      await http1(simulator, '/v1/projects/p1/messages:send', {
        headers: { authorization: 'Bearer ok-secret', 'content-type': 'application/json' },
        body: JSON.stringify({ message: { token: 'ok-1', data: { k: 'v' }, android: { ttl } } }),
      })
    }
    expect(simulator.journal.counts().duplicates).toBe(1)
  })

  it('shows the last requests without their secrets', async () => {
    await push('ok-1')
    await push('ok-2', 'other', 'p2')
    const [request] = await client.requests({ vendor: 'fcm', account: 'p2', limit: 5 })
    expect(request).toMatchObject({ tokens: ['ok-2'], status: 200, kind: 'ok', protocol: 'HTTP/1.1' })
    expect(request?.body).toContain('other')
    expect(JSON.stringify(await client.requests())).not.toContain('ok-secret')
    expect(request?.headers['authorization']).toMatch(/^Bearer sha256:[0-9a-f]{16}$/)
    expect(await client.requests({ token: 'ok-1' })).toHaveLength(1)
    await client.setMode({ bodies: false })
    await push('ok-3')
    expect(await client.requests({ token: 'ok-3' })).toEqual([])
    await client.setMode({ bodies: true })
  })

  it('measures latency from sent@, by tag', async () => {
    await push('ok-1', `sent@${Date.now() - 1000}.25#slow`)
    await push('ok-1', `sent@${Date.now()}`)
    const slow = await client.latency({ tag: 'slow' })
    expect(slow.count).toBe(1)
    expect(slow.p50).toBeGreaterThan(990)
    expect(slow.p50).toBeLessThan(1500)
    expect(await client.latency({ vendor: 'fcm' })).toMatchObject({ count: 2 })
    expect((await client.latency({ vendor: 'xiaomi' })).count).toBe(0)
  })

  it('answers mistakes with 400', async () => {
    const get = async (path: string) => (await fetch(simulator.controlUrl + path)).status
    expect(await get('/journal/counts?vendor=fax')).toBe(400)
    expect(await get('/journal/windows?vendor=fcm')).toBe(400)
    expect(await get('/journal?limit=many')).toBe(400)
    await expect(client.settings({ latency: 1 } as object)).rejects.toThrow('no setting latency')
  })
})

describe('windows', () => {
  it('counts sliding windows, not calendar seconds', () => {
    const times = [0, 500, 900, 1100, 1200]
    const ones = times.map(() => 1)
    expect(countWindows(times, ones, 4, 1000)).toEqual({ windowsOver: 0, windows: 5, arrivals: 5, maxInWindow: 4 })
    expect(countWindows(times, ones, 3, 1000).windowsOver).toBe(1)
    expect(countWindows([0, 1000], [5, 5], 5, 1000)).toMatchObject({ windowsOver: 0, maxInWindow: 5, arrivals: 10 })
  })

  it('are kept per account', async () => {
    for (const project of ['p1', 'p1', 'p1', 'p2']) await push('ok-1', 'Text', project)
    const query = { vendor: 'fcm', limit: 2, windowMs: 60_000 } as const
    expect(await client.windows({ ...query, account: 'p1' })).toMatchObject({
      windowsOver: 1,
      arrivals: 3,
      maxInWindow: 3,
    })
    expect(await client.windows({ ...query, account: 'p2' })).toMatchObject({ windowsOver: 0, arrivals: 1 })
    expect(await client.windows({ ...query, account: 'p3' })).toMatchObject({ windows: 0, arrivals: 0 })
  })
})

describe('size', () => {
  it('holds 300,000 arrivals, finds the one duplicate, and stays small', () => {
    const journal = new Journal()
    const log = journal.logOf('xiaomi')
    const before = process.memoryUsage()
    for (let request = 0; request < 300; request++) {
      log.begin('app', request, 4242)
      for (let i = 0; i < 1000; i++) log.member(`ok-${request * 1000 + i}`, true)
    }
    log.begin('app', 301, 4242)
    log.member('ok-123456', true)
    expect(journal.counts()).toMatchObject({ arrivals: 300_001, uniqueTokens: 300_000, duplicates: 1 })
    expect(journal.tokens({ duplicates: true })).toMatchObject([{ token: 'ok-123456', accepted: 2, duplicates: 1 }])
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    const grownMb = (heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers) / 1e6
    expect(grownMb).toBeLessThan(75)
  })
})

describe('the README', () => {
  it('lists every name and every kind of fault', async () => {
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const names = Object.keys(BEHAVIOURS).map((name) => `\`${name}-\``)
    expect(names.filter((name) => !readme.includes(name))).toEqual([])
    expect(FAULT_KINDS.filter((kind) => !readme.includes(`\`${kind}\``))).toEqual([])
    expect(Object.keys(DEFAULT_SETTINGS).filter((name) => !readme.includes(`\`${name}\``))).toEqual([])
  })
})

it('says that a port is taken and leaves nothing open', async () => {
  const smtpPort = simulator.smtp.port
  await expect(startSimulator({ smtpPort })).rejects.toThrow('EADDRINUSE')
  const controlPort = Number(new URL(simulator.controlUrl).port)
  await expect(startSimulator({ controlPort })).rejects.toThrow('EADDRINUSE')
})

describe('the process', () => {
  it('prints one ready line, serves, and ends on SIGTERM', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'simulator-test-'))
    const caFile = join(directory, 'ca.pem')
    const main = new URL('../src/main.ts', import.meta.url).pathname
    const child = spawn(process.execPath, ['--conditions=@fanfare/source', '--import', 'tsx', main], {
      env: { ...process.env, SIMULATOR_CA_FILE: caFile, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const line = await new Promise<string>((resolve) => child.stdout.once('data', (data) => resolve(String(data))))
    const ready = JSON.parse(line)
    expect(ready).toMatchObject({ ready: true, ca: caFile, smtp: expect.stringMatching(/^127\.0\.0\.1:\d+$/) })
    expect(await readFile(caFile, 'utf8')).toContain('BEGIN CERTIFICATE')
    expect((await simulatorClient(ready.controlUrl).counts()).arrivals).toBe(0)
    const code = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGTERM')
    expect(await code).toBe(0)
    await rm(directory, { recursive: true })
  })
})
