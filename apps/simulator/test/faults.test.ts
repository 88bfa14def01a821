import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Fault, Simulator, SimulatorClient } from '../src/index.ts'
import { simulatorClient, startSimulator } from '../src/index.ts'
import { http1, http2, openSession } from './support.ts'

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

const HEADERS = { authorization: 'Bearer ok-test', 'content-type': 'application/json' }
const pathOf = (project: string) => `/v1/projects/${project}/messages:send`
const body = (token: string) => JSON.stringify({ message: { token, data: { k: 'v' } } })
const push = (project = 'p1', token = 'ok-1') =>
  http1(simulator, pathOf(project), { headers: HEADERS, body: body(token) })
/** The statuses of so many requests, one after the other on one session. */
async function statuses(count: number): Promise<number[]> {
  const session = openSession(simulator)
  const seen: number[] = []
  for (let i = 0; i < count; i++)
    seen.push((await http2(session, { ':path': pathOf('p1'), ...HEADERS }, body('ok-1'))).status)
  session.close()
  return seen
}

describe('which requests are hit', () => {
  it('one credential only', async () => {
    await client.setFaults({ vendor: 'fcm', account: 'p1', kind: '429', retryAfterSeconds: 5 })
    expect((await push('p1')).headers['retry-after']).toBe('5')
    expect((await push('p2')).status).toBe(200)
    await client.clearFaults()
    expect((await push('p1')).status).toBe(200)
  })

  it('every nth, a number of times, for a time', async () => {
    simulator.faults.set({ vendor: 'fcm', kind: '503', everyNth: 3 })
    expect(await statuses(6)).toEqual([200, 200, 503, 200, 200, 503])
    simulator.faults.clear()
    simulator.faults.set({ vendor: '*', kind: '500', count: 2 })
    expect(await statuses(3)).toEqual([500, 500, 200])
    expect(await client.faults()).toMatchObject([{ kind: '500', hits: 2 }])
    simulator.faults.clear()
    simulator.faults.set({ vendor: 'fcm', kind: '500', forMs: 0.001 })
    expect(await statuses(1)).toEqual([200])
  })

  it('a share of them, the same ones for the same seed', async () => {
    const run = async (seed: number) => {
      simulator.faults.clear()
      simulator.faults.set({ vendor: 'fcm', kind: '500', rate: 0.3, seed })
      return (await statuses(60)).join()
    }
    const first = await run(7)
    expect(await run(7)).toBe(first)
    expect(await run(8)).not.toBe(first)
    expect(first.split('500').length - 1).toBeGreaterThan(5)
  })

  it('answers every token as dead, without counting it as accepted', async () => {
    simulator.faults.set({ vendor: 'fcm', kind: 'all-gone' })
    expect((await push()).status).toBe(404)
    expect(simulator.journal.counts()).toMatchObject({ arrivals: 1, accepted: 0 })
  })

  it('says what is wrong with a fault', async () => {
    const set = (fault: object) => client.setFaults(fault as Fault)
    await expect(set({ vendor: 'fcm' })).rejects.toThrow('vendor and kind are needed')
    await expect(set({ vendor: 'fax', kind: '429' })).rejects.toThrow('vendor must be')
    await expect(set({ vendor: 'fcm', kind: 'fire' })).rejects.toThrow('kind must be one of')
    await expect(set({ vendor: 'fcm', kind: '429', when: 'now' })).rejects.toThrow('a fault has no when')
  })
})

describe('what happens to the connection', () => {
  it('reset and close end it after the message was taken', async () => {
    for (const kind of ['reset', 'close'] as const) {
      simulator.faults.set({ vendor: 'fcm', kind, count: 1 })
      await expect(push('p1', `ok-${kind}`)).rejects.toThrow(/ECONNRESET|socket hang up/)
    }
    expect(simulator.journal.counts().accepted).toBe(2)
  })

  it('resets one stream of a session, or refuses it unprocessed', async () => {
    const session = openSession(simulator)
    const send = (token: string) => http2(session, { ':path': pathOf('p1'), ...HEADERS }, body(token))
    await expect(send('reset-1')).rejects.toMatchObject({ message: expect.stringContaining('NGHTTP2_INTERNAL_ERROR') })
    await expect(send('unprocessed-1')).rejects.toMatchObject({
      message: expect.stringContaining('NGHTTP2_REFUSED_STREAM'),
    })
    expect((await send('ok-1')).status).toBe(200)
    expect(simulator.journal.counts()).toMatchObject({ requests: 2, accepted: 2 })
    session.close()
  })

  it('cuts a whole session: by RST, or by FIN without GOAWAY', async () => {
    for (const kind of ['reset', 'close'] as const) {
      const session = openSession(simulator)
      let goaway = false
      session.on('goaway', () => (goaway = true))
      simulator.faults.set({ vendor: 'fcm', kind, count: 1 })
      const closed = new Promise((resolve) => session.once('close', resolve))
      await Promise.allSettled([http2(session, { ':path': pathOf('p1'), ...HEADERS }, body('ok-1'))])
      await closed
      expect([kind, goaway]).toEqual([kind, false])
    }
  })

  it('answers late, in drops, without end, with nonsense, packed, or never', async () => {
    simulator.faults.set({ vendor: 'fcm', kind: 'delay', delayMs: 80, count: 1 })
    const before = performance.now()
    expect((await push()).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThanOrEqual(79)
    simulator.faults.set({ vendor: 'fcm', kind: 'drip', delayMs: 1, count: 1 })
    expect((await push()).json.name).toContain('projects/p1')
    expect(await firstBytes('endless-1', 200_000)).toHaveLength(200_000)
    expect(await firstBytes('hang-1', 1, 100)).toHaveLength(0)
    expect((await push('p1', 'rubbish-1')).text).not.toContain('projects/p1')
    const packed = await firstBytes('gzip-1', 1_000_000)
    expect(packed.length).toBeLessThan(100_000)
    expect(gunzipSync(packed).length).toBe(64 * 1024 * 1024)
  })
})

/** Reads an answer over HTTP/2 until so many bytes have come, it ends, or time is up. */
function firstBytes(token: string, bytes: number, withinMs = 5000): Promise<Buffer> {
  return new Promise((resolve) => {
    const session = openSession(simulator)
    const stream = session.request({ ':method': 'POST', ':path': pathOf('p1'), ...HEADERS })
    const chunks: Buffer[] = []
    let length = 0
    const finish = () => {
      clearTimeout(timer)
      session.destroy()
      resolve(Buffer.concat(chunks).subarray(0, bytes))
    }
    const timer = setTimeout(finish, withinMs)
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      length += chunk.length
      if (length >= bytes) finish()
    })
    stream.on('end', finish)
    stream.on('error', () => {})
    stream.end(body(token))
  })
}
