import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { connect } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Simulator } from '../src/index.ts'
import { startSimulator } from '../src/index.ts'
import { http2, openSession } from './support.ts'

// Generous: the machines that run this share two cores.
jest.setTimeout(30_000)

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
beforeEach(() => simulator.reset())
afterAll(() => simulator.close())

const PATH = '/v1/projects/p1/messages:send'
const HEADERS = { ':path': PATH, authorization: 'Bearer ok-test', 'content-type': 'application/json' }
const body = (token: string, pad = '') => JSON.stringify({ message: { token, data: { pad } } })

describe("with Node's client", () => {
  it('reads headers of every character, long ones, and more than the table holds', async () => {
    const session = openSession(simulator)
    const printable = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')
    const latin = Array.from({ length: 96 }, (_, i) => String.fromCharCode(160 + i)).join('')
    for (let i = 0; i < 300; i++) {
      const headers = {
        ...HEADERS,
        'x-all': printable,
        'x-latin': `a${latin}z`,
        [`x-${i % 90}`]: `${i}-`.repeat(1 + (i % 60)),
      }
      expect((await http2(session, headers, body(`ok-${i}`))).status).toBe(200)
    }
    const [last] = simulator.journal.requests({ token: 'ok-299' })
    expect(last?.headers).toMatchObject({ 'x-all': printable, 'x-latin': `a${latin}z`, 'x-29': '299-'.repeat(60) })
    const long = 'x'.repeat(20_000)
    expect((await http2(session, { ...HEADERS, 'x-long': long }, body('ok-long'))).status).toBe(200)
    expect(simulator.journal.requests({ token: 'ok-long' })[0]?.headers['x-long']).toBe(long)
    session.close()
  })

  it('takes bodies of many frames', async () => {
    const session = openSession(simulator)
    const answer = await http2(session, HEADERS, body('ok-1', 'x'.repeat(300_000)))
    expect([answer.status, answer.json.error.message]).toEqual([400, 'Android message is too big'])
    expect(simulator.journal.requests()[0]?.body).toHaveLength(body('ok-1').length + 300_000)
    session.close()
  })

  it('keeps to the windows of a client that takes few bytes', async () => {
    const session = openSession(simulator, { settings: { initialWindowSize: 7 } })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => http2(session, HEADERS, body(`ok-${i}`))))
    expect(answers.map(({ json }) => json.name.startsWith('projects/p1/messages/')).every(Boolean)).toBe(true)
    session.close()
  })

  it('refuses streams above the number it allows', async () => {
    simulator.settings.maxConcurrentStreams = 2
    const session = openSession(simulator, { peerMaxConcurrentStreams: 5 })
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, () => http2(session, HEADERS, body('hang-1'))).map(soon),
    )
    expect(results.map(({ status }) => status).sort()).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
    ])
    expect(simulator.journal.counts().requests).toBe(2)
    simulator.settings.maxConcurrentStreams = 1000
    session.destroy()
  })

  it('forgets a stream the client has reset', async () => {
    const session = openSession(simulator)
    const stream = session.request({ ':method': 'POST', ...HEADERS })
    stream.on('error', () => {})
    stream.end(body('slow-50-1'))
    await once(stream, 'ready')
    stream.close(8)
    await new Promise((resolve) => setTimeout(resolve, 80))
    expect((await http2(session, HEADERS, body('ok-1'))).status).toBe(200)
    session.close()
  })
})

describe('frame by frame', () => {
  it('answers a PING, whatever pieces it comes in', async () => {
    const socket = await greet()
    for (const byte of frame(6, 0, 0, 'abcdefgh')) socket.write(Buffer.from([byte]))
    expect(await frameOfType(socket, 6)).toEqual(frame(6, 1, 0, 'abcdefgh'))
    socket.destroy()
  })

  it('takes padding, priority, CONTINUATION and a :scheme with a colon', async () => {
    const socket = await greet()
    const block = Buffer.concat([
      Buffer.from([0x83]),
      literal(':path', PATH),
      literal(':scheme', 'https:'),
      literal('authorization', 'Bearer ok-test'),
      literal('content-type', 'application/json'),
    ])
    const padded = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 15]), block.subarray(0, 9), Buffer.alloc(3)])
    socket.write(frame(1, 0x28, 1, padded))
    socket.write(frame(9, 0x4, 1, block.subarray(9)))
    socket.write(frame(0, 0x9, 1, Buffer.concat([Buffer.from([2]), Buffer.from(body('ok-1')), Buffer.alloc(2)])))
    const head = await frameOfType(socket, 1)
    expect([head.readUInt32BE(5), head[9]]).toEqual([1, 0x88])
    expect(simulator.journal.counts().accepted).toBe(1)
    socket.destroy()
  })

  it('ends a connection that breaks the protocol, with the reason', async () => {
    const cases: [Buffer, number][] = [
      [frame(1, 0x4, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), 9],
      [frame(1, 0x4, 1, Buffer.from([0x40, 0x81, 0x00])), 9],
      [frame(1, 0x4, 2, Buffer.from([0x83])), 1],
      [frame(9, 0x4, 1, Buffer.from([0x83])), 1],
      [frame(0, 0x8, 1, Buffer.from([9, 1])), 1],
      [frame(6, 0, 0, 'short'), 6],
      [frame(0, 0, 1, Buffer.alloc(16_385)), 6],
    ]
    for (const [bytes, code] of cases) {
      const socket = await greet()
      socket.write(bytes)
      const goaway = await frameOfType(socket, 7)
      expect([bytes.toString('hex', 0, 12), goaway.readUInt32BE(13)]).toEqual([bytes.toString('hex', 0, 12), code])
      await once(socket, 'close')
    }
  })
})

/** A call that is still open after a moment counts as fulfilled. */
function soon(call: Promise<unknown>): Promise<unknown> {
  return Promise.race([call, new Promise((resolve) => setTimeout(resolve, 1000))])
}

async function greet(): Promise<TLSSocket> {
  const { port } = new URL(simulator.url)
  const socket = connect({ host: '127.0.0.1', port: Number(port), ca: simulator.caPem, ALPNProtocols: ['h2'] })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, '')]))
  return socket
}

function frame(type: number, flags: number, streamId: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload as string)
  const head = Buffer.alloc(9)
  head.writeUIntBE(bytes.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, bytes])
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    ...[Buffer.from([0, name.length]), Buffer.from(name)],
    ...[Buffer.from([value.length]), Buffer.from(value)],
  ])
}

/** The first frame of a type that comes from the simulator. */
function frameOfType(socket: TLSSocket, type: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let buffer = Buffer.alloc(0)
    const take = (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      while (buffer.length >= 9 && buffer.length >= 9 + buffer.readUIntBE(0, 3)) {
        const end = 9 + buffer.readUIntBE(0, 3)
        const first = buffer.subarray(0, end)
        buffer = buffer.subarray(end)
        if (first[3] === type) {
          socket.off('data', take)
          resolve(Buffer.from(first))
          return
        }
      }
    }
    socket.on('data', take)
    socket.once('close', () => reject(new Error(`closed before a frame of type ${type}`)))
  })
}
