import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bad, parameter, refusal, type Watch, watch, wrongMessage } from './refusals.ts'
import { bindUsers, message, type TestApi, type TestApp, testApi } from './test-api.ts'

let api: TestApi
let app: TestApp
let before: Awaited<ReturnType<Watch>>

beforeAll(async () => {
  api = await testApi({ config: { requestTimeoutMs: 600 } })
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
  before = await watch(api)()
})
afterAll(() => api.close())

/** Nothing was stored and nothing queued since the start: every row of these tables is refused. */
const expectNothingHappened = async () => expect(await watch(api)()).toEqual(before)

const single = (raw: string | Uint8Array, headers: Record<string, string> = {}) =>
  api.ask('POST', `${app.path}/push/single`, {
    token: app.token,
    raw,
    headers: { 'Content-Type': 'application/json', ...headers },
  })

describe('bodies (T91–T93, T96, T104)', () => {
  const tooLarge = bad('request_too_large', 'RequestTooLargeException', 'the body is larger than 256 KB', 413)
  const unsupported = bad('web_application', 'WebApplicationException', 'Unsupported Media Type', 415)

  it('refuses more than 256 KB', async () => {
    const raw = JSON.stringify({ targets: ['test1'], pushMessage: message({ ext: { a: 'x'.repeat(300_000) } }) })
    expect(refusal(await single(raw))).toEqual(tooLarge)
    await expectNothingHappened()
  })

  it('refuses an endless chunked body and closes the connection', async () => {
    const answer = await stream('Transfer-Encoding: chunked', (write) => write(`10000\r\n${'x'.repeat(0x10000)}\r\n`))
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('"error_description":"the body is larger than 256 KB"')
    await expectNothingHappened()
  })

  it('answers 408 where the body is shorter than its Content-Length, and closes the connection', async () => {
    const answer = await stream('Content-Length: 1000', (write, count) => count === 0 && write('{"targets":'))
    expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(answer).toContain('"error":"request_timeout"')
    await expectNothingHappened()
  })

  it('refuses compressed bodies without unpacking them', async () => {
    for (const encoding of ['gzip', 'deflate', 'br']) {
      expect(refusal(await single(gzipSync('{}'), { 'Content-Encoding': encoding }))).toEqual(unsupported)
    }
    await expectNothingHappened()
  })

  it('refuses other media types', async () => {
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/json; charset=latin1',
      'application/jsonx',
    ]
    for (const type of types) expect(refusal(await single('{}', { 'Content-Type': type }))).toEqual(unsupported)
    await expectNothingHappened()
  })

  const nested = parameter('body: nested deeper than 32')
  const keys = Array.from({ length: 20_000 }, (_, index) => `"k${index}":1`).join()
  const badBodies: [string, string | Uint8Array, object][] = [
    [
      'no JSON',
      '{"targets":',
      bad('json_parse', 'JsonParseException', 'The request body is not valid JSON: Unexpected end of JSON input'),
    ],
    [
      'bytes that are no UTF-8',
      new Uint8Array([0x7b, 0xff, 0x7d]),
      bad('json_parse', 'JsonParseException', 'The request body is not valid JSON: not UTF-8'),
    ],
    ['10,000 arrays', '['.repeat(10_000), nested],
    ['10,000 objects', '{"a":'.repeat(10_000), nested],
    ['depth 33 behind a string with brackets', `{"a":"[[[","b":${'['.repeat(33)}${']'.repeat(33)}}`, nested],
    ['20,000 keys', `{${keys}}`, parameter('body: more than 2000 keys')],
    ['an array', '[]', parameter('body: expected object, received array')],
    ['a number', '1', parameter('body: expected object, received number')],
    ['null', 'null', parameter('body: expected object, received null')],
    ['__proto__', '{"__proto__":{"polluted":1},"targets":["test1"]}', parameter('__proto__: is not allowed as a key')],
    ['an escaped __proto__', '{"\\u005f_proto__":{"polluted":1}}', parameter('__proto__: is not allowed as a key')],
    [
      'constructor.prototype',
      '{"pushMessage":{"ext":{"constructor":{"prototype":{}}}}}',
      wrongMessage('pushMessage.ext.constructor: is not allowed as a key'),
    ],
    ['prototype in a list', '{"targets":[{"prototype":1}]}', parameter('targets.0.prototype: is not allowed as a key')],
    [
      'a lone surrogate',
      '{"pushMessage":{"title":"\\ud800"}}',
      wrongMessage('pushMessage.title: holds a lone surrogate'),
    ],
    [
      'a lone surrogate in a key',
      '{"pushMessage":{"ext":{"\\udfff":1}}}',
      wrongMessage('pushMessage.ext: a key holds a lone surrogate'),
    ],
  ]
  it.each(badBodies)('refuses %s', async (_name, raw, expected) => {
    expect(refusal(await single(raw))).toEqual(expected)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    await expectNothingHappened()
  })

  it('refuses no body at all', async () => {
    expect(refusal(await app.call('POST', 'push/single'))).toEqual(
      parameter('body: expected object, received undefined'),
    )
  })
})

describe('the watch over these tables', () => {
  it('sees a request that is accepted', async () => {
    const reply = await app.call('POST', 'push/single', { targets: ['test1'], pushMessage: message() })
    expect(reply.status).toBe(200)
    expect((await watch(api)()).writes).toBeGreaterThan(before.writes)
  })
})

/** Writes a request by hand, `step` by `step` until the server ends the connection; answers what came back. */
function stream(header: string, step: (write: (text: string) => void, count: number) => unknown): Promise<string> {
  const { hostname, port } = new URL(api.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let answer = ''
    let count = 0
    socket.write(
      `POST ${app.path}/push/single HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${app.token}\r\n` +
        `Content-Type: application/json\r\n${header}\r\n\r\n`,
    )
    const timer = setInterval(() => socket.writable && step((text) => socket.write(text), count++), 10)
    socket.on('data', (chunk) => {
      answer += chunk.toString()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      if (answer === '') reject(new Error('the connection ended without an answer'))
      else resolve(answer)
    })
  })
}
