import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bindUsers, message, type TestApi, type TestApp, type TestOptions, testApi, until } from './test-api.ts'

/** Who keeps connections and gives nothing for them must not keep others out. */
let api: TestApi
let app: TestApp
const peers: Socket[] = []

afterEach(async () => {
  for (const peer of peers.splice(0)) peer.destroy()
  await api.close()
})

async function start(config: TestOptions['config'], more: TestOptions = {}): Promise<void> {
  api = await testApi({ ...more, config: config ?? {} })
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
}

const port = () => Number(new URL(api.url).port)
const sockets = () => api.api.ctx.sockets

type Peer = { head?: string; from?: string }

/** A connection that sends `head` and never reads. */
async function peer({ head = '', from = '127.0.0.1' }: Peer = {}): Promise<Socket> {
  const socket = connect({ port: port(), host: '127.0.0.1', localAddress: from })
  peers.push(socket)
  socket.on('error', () => undefined)
  socket.pause()
  await Promise.race([once(socket, 'connect'), once(socket, 'close')])
  if (head) socket.write(head)
  return socket
}

const many = (count: number, of: (index: number) => Peer): Promise<Socket[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => peer(of(index))))

/** A request whose body never comes to its end. */
const unfinished = (more: string[] = [], path = `${app.path}/push/single`): string =>
  [
    `POST ${path} HTTP/1.1`,
    'Host: x',
    'Content-Type: application/json',
    'Content-Length: 100',
    ...more,
    '',
    '{"a":',
  ].join('\r\n')
const bearer = () => `Authorization: Bearer ${app.token}`

const push = () => app.call('POST', 'push/single', { targets: ['test1'], pushMessage: message() })
const ready = () => api.ask('GET', '/health/ready')

/** What a peer reads until its connection ends. */
async function answerTo(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (data) => {
    text += String(data)
  })
  socket.resume()
  if (!socket.closed) await once(socket, 'close')
  return text
}

describe('places', () => {
  it('are not taken by bodies that do not come, with a token or without', async () => {
    await start({ maxInFlight: 5 })
    await many(40, (index) => ({
      head: [unfinished(), unfinished([bearer()]), unfinished([], `${app.path}/token`)][index % 3] ?? '',
    }))
    // Who sent no token is refused and cut off; the others wait.
    await until(() => sockets().size >= 26)
    for (let round = 0; round < 10; round++) expect((await push()).status).toBe(200)
    expect((await ready()).body).toMatchObject({ status: 'ok' })
  })

  it('are not taken by who does not read the refusal', async () => {
    await start({ maxInFlight: 5, requestTimeoutMs: 400, answerTimeoutMs: 400 })
    const before = sockets().size
    await many(40, (index) => ({ head: unfinished(index % 2 ? [bearer()] : []) }))
    await until(() => sockets().size >= before + 20)
    await until(() => sockets().size <= before)
    for (let round = 0; round < 10; round++) expect((await push()).status).toBe(200)
  })

  it('that are all taken are what /health/ready says', async () => {
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await start({ maxInFlight: 3 }, { overrides: { at: (point) => (point === 'before-commit' ? held : undefined) } })
    const under = Array.from({ length: 3 }, push)
    await until(async () => (await ready()).status === 503)
    expect((await ready()).body).toEqual({ status: 'busy', store: 'ok', redis: 'ok' })
    expect((await api.ask('GET', '/health/live')).status).toBe(200)
    release()
    expect((await Promise.all(under)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await ready()).status).toBe(200)
  })

  it('are not taken by guesses of apps and tokens', async () => {
    await start({ maxInFlight: 1 })
    const guesses = Array.from({ length: 50 }, (_, index) =>
      api.ask('POST', `/nobody/app${index}/push/single`, { token: 'guess', body: {} }),
    )
    const pushes = []
    for (let round = 0; round < 5; round++) pushes.push((await push()).status)
    expect(new Set((await Promise.all(guesses)).map(({ status }) => status))).toEqual(new Set([404]))
    expect(pushes).toEqual([200, 200, 200, 200, 200])
  })
})

describe('deadlines', () => {
  const late = /^HTTP\/1\.1 408 .*"error":"request_timeout"/s

  it('end who sends nothing, half a head, or a head byte by byte', async () => {
    await start({ requestTimeoutMs: 500 })
    const dripping = await peer({ head: 'GET / HTTP/1.1\r\n' })
    const drip = setInterval(() => dripping.write('a'), 50)
    const waiting = [await peer(), await peer({ head: 'POST /a/b/push/single HTTP/1.1\r\nHost: x\r\n' }), dripping]
    expect(await Promise.all(waiting.map(answerTo))).toEqual(waiting.map(() => expect.stringMatching(late)))
    clearInterval(drip)
  })

  it('end who sends a body byte by byte, with a token too', async () => {
    await start({ requestTimeoutMs: 500 })
    const dripping = await peer({ head: unfinished([bearer()]) })
    const drip = setInterval(() => dripping.write(' '), 50)
    expect(await answerTo(dripping)).toMatch(late)
    clearInterval(drip)
  })

  it('end who asks again and again and does not take the answers', async () => {
    await start({ answerTimeoutMs: 500 })
    const before = sockets().size
    const ask = `GET ${app.path}/notifiers HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n\r\n`
    await peer({ head: ask.repeat(20_000) })
    await until(() => sockets().size > before)
    expect((await push()).status).toBe(200)
    await until(() => sockets().size <= before, 20_000)
    expect((await push()).status).toBe(200)
  })

  it('let pass who asks many times at once and reads', async () => {
    await start({ answerTimeoutMs: 500 })
    const last = `GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
    const ask = `GET ${app.path}/notifiers HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n\r\n`
    const answers = await answerTo(await peer({ head: ask.repeat(500) + last }))
    expect(answers.split('HTTP/1.1 200 OK')).toHaveLength(502)
  })
})

describe('connections of one address', () => {
  it('are bounded; a new one ends the oldest of nobody proven, so that nobody is kept out', async () => {
    await start({ socketsPerAddress: 20 })
    const other = await peer({ from: '127.0.0.2' })
    const opened = await many(100, () => ({}))
    await allButEnd(opened, 20)
    for (let round = 0; round < 5; round++) expect((await push()).status).toBe(200)
    expect((await ready()).status).toBe(200)
    expect(other.closed).toBe(false)
  })

  it('do not end for others once their caller has proven who he is', async () => {
    await start({ socketsPerAddress: 10 })
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const first = await portOfCall(agent)
    await allButEnd(await many(50, () => ({})), 9)
    expect(await portOfCall(agent)).toBe(first)
    agent.destroy()
  })

  it('are bounded over all addresses too, and the operator still gets in', async () => {
    await start({ maxSockets: 30 })
    await allButEnd(await many(120, (index) => ({ from: `127.0.1.${1 + (index % 100)}` })), 30)
    expect((await ready()).status).toBe(200)
    expect((await push()).status).toBe(200)
  })

  it('that all have proven who they are give way where one address has more than all others', async () => {
    await start({ maxSockets: 20, socketsPerAddress: 20 })
    const live = `GET ${app.path}/notifiers HTTP/1.1\r\nHost: x\r\n${bearer()}\r\n\r\n`
    const proven = await many(30, () => ({ from: '127.0.0.3', head: live }))
    await allButEnd(proven, 20)
    expect((await ready()).status).toBe(200)
    expect((await push()).status).toBe(200)
  })
})

describe('behind a proxy', () => {
  const from = (address: string) => `X-Forwarded-For: ${address}`
  const live = (head: string[], path = '/health/live') =>
    [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: close', ...head, '', ''].join('\r\n')
  const trusted = { trustedProxies: [], socketsPerAddress: 10 }

  it('that is trusted, each caller has a bound of its own, whatever it writes itself', async () => {
    const { readNetworks } = await import('../src/http/callers.ts')
    await start({ ...trusted, trustedProxies: readNetworks('127.0.0.0/8, 10.0.0.0/8') })
    await many(30, (index) => ({
      head: unfinished([bearer(), from(`10.9.9.9, 6.6.6.${index}, 203.0.113.9, 10.1.1.1`)]),
    }))
    await until(() => sockets().size >= 10)
    const full = await answerTo(await peer({ head: live([from('203.0.113.9')], `${app.path}/notifiers`) }))
    expect(full).toMatch(/^HTTP\/1\.1 503 .*Retry-After: 1/s)
    for (const address of ['203.0.113.8', '2001:db8::1', '10.0.0.7', 'rubbish']) {
      expect(await answerTo(await peer({ head: live([from(address)]) }))).toMatch(/^HTTP\/1\.1 200 /)
    }
    expect((await push()).status).toBe(200)
  })

  it('that is not trusted, nobody believes what it names', async () => {
    await start({ ...trusted, socketsPerAddress: 30 })
    const head = `GET /health/live HTTP/1.1\r\n${from('203.0.113.9')}\r\n`
    await allButEnd(await many(40, () => ({ head })), 30)
    expect(await answerTo(await peer({ head: live([from('203.0.113.9')]) }))).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('that is trusted, wrong secrets are counted by caller', async () => {
    const { readNetworks } = await import('../src/http/callers.ts')
    await start({ trustedProxies: readNetworks('127.0.0.1') })
    const body = { grant_type: 'client_credentials', client_id: app.clientId, client_secret: 'guess' }
    const guess = (address: string) =>
      api.ask('POST', `${app.path}/token`, { body, headers: { 'X-Forwarded-For': address } })
    const statuses = new Set<number>()
    for (let tries = 0; tries < 45; tries++) statuses.add((await guess('203.0.113.9')).status)
    expect(statuses).toEqual(new Set([400, 429]))
    expect((await guess('203.0.113.10')).status).toBe(400)
  })
})

/** Long before a deadline of requests ends them. */
function allButEnd(opened: readonly Socket[], kept: number): Promise<void> {
  for (const socket of opened) socket.resume()
  return until(() => opened.filter(({ closed }) => !closed).length <= kept, 5000)
}

/** The client's port of a call, which tells whether the connection is still the same. */
function portOfCall(agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${app.token}` }
    const call = request(`${api.url}${app.path}/notifiers`, { agent, headers }, (answer) => {
      const { localPort } = answer.socket
      answer.resume()
      answer.once('end', () => (answer.statusCode === 200 ? resolve(localPort) : reject(new Error('refused'))))
    })
    call.once('error', reject)
    call.end()
  })
}
