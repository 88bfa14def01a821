import { afterEach, describe, expect, it, jest } from '@jest/globals'
import type { Call } from '../src/http/http2/call.ts'
import { type ClientOptions, Http2Client } from '../src/http/http2/client.ts'
import { fanOut } from '../src/http/http2/fanout.ts'
import type { Verdict } from '../src/pushing/verdict.ts'
import { type Arrival, answer, H2TestServer } from './h2-server.ts'
import { openTcpProxy } from './tcp-proxy.ts'

jest.setTimeout(30_000)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(onRequest: (arrival: Arrival) => void, maxConcurrentStreams = 1000) {
  const server = new H2TestServer(onRequest, { maxConcurrentStreams })
  const origin = await server.start()
  closing.push(() => server.stop())
  return { server, origin }
}

function clientOf(origin: string, options: Partial<ClientOptions> = {}): Http2Client {
  const client = new Http2Client({ origin, tls: {}, ...options })
  closing.push(() => client.close(0))
  return client
}

async function tcpProxy(origin: string) {
  const proxy = await openTcpProxy(origin)
  closing.push(() => proxy.close())
  return proxy
}

const never = new AbortController().signal

/** Those whose names begin with `single` are urgent. */
function send(client: Http2Client, count: number, signal = never, prefix = 'm'): Promise<Verdict[]> {
  const indices = Array.from({ length: count }, (_, index) => index)
  const request = (index: number) => ({
    headers: { ':method': 'POST', ':path': '/push', 'x-name': `${prefix}${index}` },
    body: `{"n":${index}}`,
  })
  const judge = (call: Call): Verdict => ({ is: call.status === 200 ? 'sent' : 'rejected', reason: call.text })
  return fanOut(client, { indices, urgent: prefix === 'single', request, judge }, signal)
}

const countOf = (verdicts: readonly Verdict[], is: string) => verdicts.filter((verdict) => verdict.is === is).length
const names = (count: number) => Array.from({ length: count }, (_, index) => `m${index}`).sort()

describe('the HTTP/2 pool', () => {
  it.each([0, 1, 999, 2500])('sends %i requests over kept sessions, each once', async (count) => {
    const { server, origin } = await serve((arrival) => answer(arrival))
    const client = clientOf(origin)
    const verdicts = await send(client, count)
    expect(countOf(verdicts, 'sent')).toBe(count)
    expect([...server.arrivals].sort()).toEqual(names(count))
    await send(client, 1)
    expect(server.sessions.length).toBe(1)
  })

  it("keeps to the peer's SETTINGS, opens more sessions when they are narrow, and follows a change", async () => {
    const { server, origin } = await serve((arrival) => setTimeout(() => answer(arrival), 5), 20)
    const client = clientOf(origin, { maxSessions: 2 })
    expect(countOf(await send(client, 500), 'sent')).toBe(500)
    expect(server.sessions.length).toBe(2)
    expect(server.mostOpen).toBeLessThanOrEqual(40)
    expect(server.mostOpen).toBeGreaterThan(20)
    for (const session of server.sessions) session.settings({ maxConcurrentStreams: 3 })
    await send(client, 10)
    server.mostOpen = 0
    expect(countOf(await send(client, 200), 'sent')).toBe(200)
    expect(server.mostOpen).toBeLessThanOrEqual(6)
  })

  it('re-sends what a GOAWAY left unprocessed, free and once', async () => {
    const taken = new Map<unknown, number>()
    const accepted: string[] = []
    const { server, origin } = await serve((arrival) => {
      const count = (taken.get(arrival.session) ?? 0) + 1
      taken.set(arrival.session, count)
      // The hundredth request of a session is the last one it takes; later ones get no answer at all.
      if (count > 100) return
      accepted.push(arrival.name)
      answer(arrival)
      if (count === 100) arrival.session.goaway(0, arrival.stream.id ?? 0)
    })
    const verdicts = await send(clientOf(origin), 2000)
    expect(countOf(verdicts, 'sent')).toBe(2000)
    expect([...accepted].sort()).toEqual(names(2000))
    expect(server.sessions.length).toBe(20)
  })

  it('re-sends streams above the last id of a GOAWAY with an error; those below are unknown', async () => {
    let first = true
    const { server, origin } = await serve((arrival) => {
      if (!first) return answer(arrival)
      if (server.arrivals.length < 50) return
      first = false
      arrival.session.goaway(2, 21)
      setTimeout(() => arrival.session.destroy(), 20)
    })
    const verdicts = await send(clientOf(origin), 50)
    // Streams 1, 3 … 21 may have been processed.
    expect(countOf(verdicts, 'unknown')).toBe(11)
    expect(countOf(verdicts, 'sent')).toBe(39)
  })

  it('re-sends REFUSED_STREAM, and gives up after twenty', async () => {
    const refused = new Map<string, number>()
    const { origin } = await serve((arrival) => {
      const times = refused.get(arrival.name) ?? 0
      const limit = arrival.name === 'm7' ? 100 : 2
      if (times >= limit) return answer(arrival)
      refused.set(arrival.name, times + 1)
      arrival.stream.close(7)
    })
    const verdicts = await send(clientOf(origin), 10)
    expect(countOf(verdicts, 'sent')).toBe(9)
    expect(verdicts[7]).toMatchObject({ is: 'deferred', free: true })
    expect(refused.get('m7')).toBe(20)
  })

  it('settles a reset stream as unknown, and the others go on', async () => {
    const { origin } = await serve((arrival) => (arrival.name === 'm3' ? arrival.stream.close(2) : answer(arrival)))
    const verdicts = await send(clientOf(origin), 10)
    expect(countOf(verdicts, 'sent')).toBe(9)
    expect(verdicts[3]?.is).toBe('unknown')
  })

  it('settles an answer cut off in its middle as unknown', async () => {
    const { origin } = await serve((arrival) => {
      arrival.stream.respond({ ':status': 200 })
      arrival.stream.write('half')
      setTimeout(() => arrival.session.destroy(), 20)
    })
    expect(await send(clientOf(origin), 1)).toMatchObject([{ is: 'unknown' }])
  })

  it.each(['FIN', 'RST'] as const)('never hangs when the connection ends by %s without GOAWAY', async (how) => {
    let held = 0
    const { origin } = await serve((arrival) => {
      if (++held <= 100) answer(arrival)
      else if (held === 200) setTimeout(() => proxy.cut(how), 100)
    })
    const proxy = await tcpProxy(origin)
    const client = clientOf(proxy.origin, { maxStreams: 200 })
    const verdicts = await send(client, 200)
    expect(countOf(verdicts, 'sent')).toBe(100)
    expect(countOf(verdicts, 'unknown')).toBe(100)
    held = -1000
    expect(countOf(await send(client, 5), 'sent')).toBe(5)
  })

  it('starts the timer of a request when its stream opens', async () => {
    const { origin } = await serve((arrival) => setTimeout(() => answer(arrival), 150), 2)
    const client = clientOf(origin, { requestMs: 700, maxSessions: 1 })
    // Twenty requests, two at a time: the last ones wait for more than the time-out of a single one.
    const startedAt = Date.now()
    expect(countOf(await send(client, 20), 'sent')).toBe(20)
    expect(Date.now() - startedAt).toBeGreaterThan(1400)
  })

  it('settles a request without an answer as unknown after its time', async () => {
    const { origin } = await serve((arrival) => arrival.name !== 'm1' && answer(arrival))
    const verdicts = await send(clientOf(origin, { requestMs: 300 }), 3)
    expect(verdicts.map(({ is }) => is)).toEqual(['sent', 'unknown', 'sent'])
    expect(verdicts[1]?.reason).toBe('no answer in time')
  })

  it('reads at most 64 KB of an answer', async () => {
    const { origin } = await serve(({ stream }) => {
      stream.respond({ ':status': 200 })
      const write = () => {
        while (!stream.destroyed && stream.write(Buffer.alloc(16_384))) {}
        if (!stream.destroyed) stream.once('drain', write)
      }
      write()
    })
    expect(await send(clientOf(origin), 1)).toMatchObject([{ is: 'unknown', reason: 'the answer is too long' }])
  })

  it('gives up at the abort signal: open requests are unknown, waiting ones were not sent', async () => {
    const { server, origin } = await serve(() => {}, 4)
    const abort = new AbortController()
    const pending = send(clientOf(origin, { maxSessions: 1 }), 10, abort.signal)
    while (server.arrivals.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
    abort.abort()
    const verdicts = await pending
    expect(countOf(verdicts, 'unknown')).toBe(4)
    expect(verdicts.filter((verdict) => verdict.is === 'deferred' && verdict.free).length).toBe(6)
  })

  it('lets single pushes go before chunks of tasks whatever their size, and chunks take turns', async () => {
    const { server, origin } = await serve((arrival) => setTimeout(() => answer(arrival), 2), 4)
    const client = clientOf(origin, { maxSessions: 1 })
    const all = [send(client, 200, never, 'a'), send(client, 200, never, 'b')]
    while (server.arrivals.length < 20) await new Promise((resolve) => setTimeout(resolve, 2))
    const before = server.arrivals.length
    await send(client, 12, never, 'single')
    expect(server.arrivals.indexOf('single11')).toBeLessThan(before + 24)
    await Promise.all(all)
    const firstHundred = server.arrivals.slice(0, 100).filter((name) => name.startsWith('a')).length
    expect(firstHundred).toBeGreaterThan(40)
    expect(firstHundred).toBeLessThan(60)
  })

  it('settles as not sent what cannot connect, and connects again later', async () => {
    const { server, origin } = await serve((arrival) => answer(arrival))
    await server.stop()
    const verdicts = await send(clientOf(origin), 3)
    expect(verdicts).toMatchObject([1, 2, 3].map(() => ({ is: 'deferred', free: true, reason: 'ECONNREFUSED' })))
  })

  it('notices a peer that fell silent by a ping', async () => {
    const { origin } = await serve(() => {})
    const proxy = await tcpProxy(origin)
    const client = clientOf(proxy.origin, { pingAfterMs: 100, pongWithinMs: 300, requestMs: 60_000 })
    const pending = send(client, 2)
    setTimeout(() => proxy.freeze(), 50)
    expect(await pending).toMatchObject([
      { is: 'unknown', reason: 'ping not answered' },
      { is: 'unknown', reason: 'ping not answered' },
    ])
  })

  it('sends nothing more of a batch after a verdict about the channel', async () => {
    const { server, origin } = await serve((arrival) => answer(arrival, 429, ''), 10)
    const client = clientOf(origin, { maxSessions: 1 })
    const indices = Array.from({ length: 500 }, (_, index) => index)
    const request = (index: number) => ({
      headers: { ':method': 'POST', ':path': '/', 'x-name': `m${index}` },
      body: '',
    })
    const verdicts = await fanOut(
      client,
      { indices, urgent: false, request, judge: () => ({ is: 'busy', reason: '429' }) },
      never,
    )
    expect(server.arrivals.length).toBeLessThanOrEqual(20)
    expect(countOf(verdicts, 'busy') + verdicts.filter(({ halted }) => halted).length).toBe(500)
  })

  it('lets open requests finish when closed and takes no new ones', async () => {
    const { origin } = await serve((arrival) => setTimeout(() => answer(arrival), 100))
    const client = clientOf(origin)
    const pending = send(client, 3)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await client.close()
    expect(countOf(await pending, 'sent')).toBe(3)
    expect(await send(client, 1)).toMatchObject([{ is: 'deferred', free: true, reason: 'the pusher is closed' }])
  })
})
