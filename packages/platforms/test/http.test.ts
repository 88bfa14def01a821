import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { startSimulator } from '@fanfare/simulator'
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals'
import { at, type HttpError, openHttp, retryAfterMs } from '../src/index.ts'

jest.setTimeout(30_000)

const http = openHttp()
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
afterAll(() => http.close())

async function serve(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(onRequest)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

const post = (url: string, more = {}) => http.send({ method: 'POST', url, body: 'body', ...more })
const failureOf = (pending: Promise<unknown>) => pending.catch((error: unknown) => error) as Promise<HttpError>

describe('HTTP/1.1 to vendors', () => {
  it('takes any status as an answer and follows no redirect', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(302, { location: 'http://127.0.0.1:1/', 'Retry-After': '7' }).end('moved')
    })
    expect(await post(url)).toMatchObject({ status: 302, text: 'moved', headers: { 'retry-after': '7' } })
  })

  it('keeps its connections', async () => {
    const ports = new Set<number | undefined>()
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort)
      response.end()
    })
    for (let i = 0; i < 5; i++) await post(url)
    expect(ports.size).toBe(1)
  })

  it('knows that a refused connection carried nothing', async () => {
    expect(await failureOf(post('http://127.0.0.1:1/'))).toMatchObject({ name: 'HttpError', written: false })
    expect(await failureOf(post('http://no-such-host.invalid/'))).toMatchObject({ written: false })
  })

  it('knows that a failed TLS handshake carried nothing, and never trusts an unknown certificate', async () => {
    const simulator = await startSimulator()
    expect(await failureOf(post(simulator.url))).toMatchObject({ written: false })
    const trusting = openHttp({ ca: simulator.caPem })
    expect((await trusting.send({ method: 'GET', url: `${simulator.url}/nothing` })).status).toBe(404)
    trusting.close()
    await simulator.close()
  })

  it('cannot know what became of a request whose connection was reset', async () => {
    const url = await serve((request) => {
      request.resume().on('end', () => request.socket.resetAndDestroy())
    })
    expect(await failureOf(post(url))).toMatchObject({ written: true, message: 'ECONNRESET' })
  })

  it('ends at the deadline, also where the answer drips in', async () => {
    const url = await serve((_request, response) => {
      const timer = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(timer))
    })
    const startedAt = Date.now()
    expect(await failureOf(post(url, { deadlineMs: 250 }))).toMatchObject({
      written: true,
      message: 'no answer in time',
    })
    expect(Date.now() - startedAt).toBeLessThan(1000)
  })

  it('ends at the deadline while connecting, and knows that nothing was written', async () => {
    // A TLS client that is never answered is still shaking hands.
    const mute = createTcpServer(() => {})
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/`
    expect(await failureOf(post(url, { deadlineMs: 200 }))).toMatchObject({
      written: false,
      message: 'no connection in time',
    })
    mute.close()
  })

  it('ends at the abort signal', async () => {
    const url = await serve(() => {})
    const abort = new AbortController()
    setTimeout(() => abort.abort(), 100)
    expect(await failureOf(post(url, { signal: abort.signal }))).toMatchObject({ written: true, message: 'aborted' })
    expect(await failureOf(post(url, { signal: abort.signal }))).toMatchObject({ written: false })
  })

  it('reads at most 64 KB and unpacks nothing', async () => {
    const url = await serve((_request, response) => response.end(Buffer.alloc(65_537)))
    expect(await failureOf(post(url))).toMatchObject({ written: true, message: 'the answer is too long' })
    const bomb = gzipSync(Buffer.alloc(10_000_000))
    const packed = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    })
    expect((await post(packed)).text.length).toBeLessThan(20_000)
  })

  it('never puts the URL into an error: it may carry an access token', async () => {
    const error = await failureOf(post('http://127.0.0.1:1/?access_token=secret'))
    expect(`${error.message} ${error.stack}`).not.toContain('secret')
  })

  it('replaces hosts by the one base URL of the operator', () => {
    expect(at(undefined, 'https://vendor.example/a?b=1')).toBe('https://vendor.example/a?b=1')
    expect(at('http://127.0.0.1:9/', 'https://vendor.example/a?b=1')).toBe('http://127.0.0.1:9/a?b=1')
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  it.each([
    ['7', 7000],
    [['7', '9'], 7000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['86400', 900_000],
    ['soon', undefined],
    ['', undefined],
    ['-5', undefined],
    [undefined, undefined],
  ])('%p is %p ms', (header, ms) => {
    expect(retryAfterMs(header, now, 0)).toBe(ms)
    if (ms) expect(retryAfterMs(header, now, 1)).toBe(ms * 1.2)
  })
})
