import type { TLSSocket } from 'node:tls'
import type { Settings } from '../../settings.ts'
import { clientCertificateName } from '../client-certificate.ts'
import type { Handle } from '../exchange.ts'
import { MAX_BODY_BYTES } from '../exchange.ts'
import type { Sockets } from '../sockets.ts'
import type { FrameHead } from './frame-reader.ts'
import { FrameReader } from './frame-reader.ts'
import { ConnectionError, DEFAULT_WINDOW, ERROR, FLAG, FRAME, MAX_WINDOW, SETTING } from './frames.ts'
import { HeaderDecoder } from './header-decoder.ts'
import type { PlainHeaders } from './header-encoder.ts'
import { Sender } from './sender.ts'
import type { StreamHost } from './stream.ts'
import { Http2Stream } from './stream.ts'

export type ConnectionContext = { sockets: Sockets; settings: Settings; handle: Handle }

type Slice = Pick<FrameHead, 'buffer' | 'start' | 'end'>

/** Streams may send a whole body at once. */
const STREAM_WINDOW = MAX_BODY_BYTES + DEFAULT_WINDOW

/**
 * The server's side of one HTTP/2 connection (RFC 9113), as far as a vendor needs it. Node's own costs five times as
 * much per request, which would be what a load test measures; and it refuses requests that the vendors accept
 * (firebase-admin sends `:scheme: https:`).
 */
export class Http2Connection implements StreamHost {
  private readonly socket: TLSSocket
  private readonly context: ConnectionContext
  private readonly sender: Sender
  private readonly headers = new HeaderDecoder()
  private readonly streams = new Map<number, Http2Stream>()
  private readonly clientPort: number | undefined
  private lastStreamId = 0
  /** The highest stream whose request was complete. */
  private lastHandledId = 0
  private lastAllowedId = MAX_WINDOW
  private receivedBytes = 0
  private maxStreams: number

  constructor(socket: TLSSocket, context: ConnectionContext) {
    this.socket = socket
    this.context = context
    this.clientPort = socket.remotePort
    this.sender = new Sender(socket, (stream) => this.sent(stream))
    const { firstStreams, maxConcurrentStreams } = context.settings
    this.maxStreams = firstStreams || maxConcurrentStreams
    this.announce([SETTING.initialWindowSize, STREAM_WINDOW])
    this.sender.control(FRAME.windowUpdate, 0, 0, [MAX_WINDOW - DEFAULT_WINDOW])
    const reader = new FrameReader((frame) => this.receive(frame))
    socket.on('data', (chunk: Buffer) => this.read(reader, chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => this.dropAll())
  }

  sendHead(stream: Http2Stream, status: number, headers: PlainHeaders | undefined, isLast: boolean): void {
    this.sender.head(stream, status, headers, isLast)
  }

  sendText(stream: Http2Stream, body: string): void {
    this.sender.text(stream, body)
  }

  sendData(stream: Http2Stream, data: Buffer, isLast: boolean, done: () => void): void {
    this.sender.data(stream, data, isLast, done)
  }

  /** After the first success a connection that began with few streams may have all of them. */
  succeed(): void {
    const { firstStreams, maxConcurrentStreams } = this.context.settings
    if (firstStreams === 0 || this.maxStreams !== firstStreams) return
    this.maxStreams = maxConcurrentStreams
    this.announce()
  }

  resetStream(stream: Http2Stream, code: 'refused' | 'internal'): void {
    this.sender.control(FRAME.rstStream, 0, stream.id, [ERROR[code]])
    this.drop(stream)
  }

  /** GOAWAY with the highest stream that was handled; those above it are not, and the rest have their answers yet. */
  goAway(): void {
    if (this.lastAllowedId !== MAX_WINDOW) return
    this.lastAllowedId = this.lastHandledId
    this.sender.control(FRAME.goaway, 0, 0, [this.lastHandledId, ERROR.none])
    for (const stream of this.streams.values()) if (stream.id > this.lastAllowedId) this.drop(stream)
  }

  reset(): void {
    this.context.sockets.reset(this.clientPort)
  }

  end(): void {
    this.context.sockets.end(this.clientPort)
  }

  clientName(): string | undefined {
    return this.socket.destroyed ? undefined : clientCertificateName(this.socket)
  }

  private announce(...more: (readonly [number, number])[]): void {
    this.sender.settings([[SETTING.maxConcurrentStreams, this.maxStreams], ...more])
  }

  private read(reader: FrameReader, chunk: Buffer): void {
    this.sender.cork()
    try {
      reader.take(chunk)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      this.sender.control(FRAME.goaway, 0, 0, [this.lastStreamId, error.code])
      setImmediate(() => this.socket.end())
    } finally {
      this.sender.uncork()
    }
  }

  private receive(frame: FrameHead): void {
    if (frame.type === FRAME.headers) this.receiveHeaders(frame)
    else if (frame.type === FRAME.data) this.receiveData(frame)
    else if (frame.type === FRAME.windowUpdate) this.receiveWindow(frame)
    else if (frame.type === FRAME.settings) this.receiveSettings(frame)
    else if (frame.type === FRAME.rstStream) this.dropById(frame.streamId)
    else if (frame.type === FRAME.ping && !(frame.flags & FLAG.ack)) this.sender.echoPing(frame.buffer, frame.start)
    else if (frame.type === FRAME.pushPromise) throw new ConnectionError(ERROR.protocol, 'PUSH_PROMISE from a client')
  }

  /** The block is decoded even where the stream is not wanted: it changes the header table. */
  private receiveHeaders({ streamId, flags, buffer, start, end }: FrameHead): void {
    const headers = this.headers.decode(buffer, start, end)
    const isLast = (flags & FLAG.endStream) !== 0
    const known = this.streams.get(streamId)
    if (known) this.takeBody(known, NOTHING, isLast)
    else if (streamId % 2 === 0 || streamId <= this.lastStreamId) {
      throw new ConnectionError(ERROR.protocol, `stream ${streamId} cannot be opened`)
    } else if (streamId <= this.lastAllowedId) this.open(streamId, headers, isLast)
  }

  private open(streamId: number, headers: Record<string, string>, isLast: boolean): void {
    this.lastStreamId = streamId
    const stream = new Http2Stream(streamId, headers, this, this.sender.streamWindow)
    if (this.streams.size >= this.maxStreams) this.resetStream(stream, 'refused')
    else if (!headers[':method'] || !headers[':path']) {
      this.sender.control(FRAME.rstStream, 0, streamId, [ERROR.protocol])
    } else {
      this.streams.set(streamId, stream)
      if (isLast) this.takeBody(stream, NOTHING, true)
    }
  }

  private receiveData(frame: FrameHead): void {
    this.receivedBytes += frame.payloadBytes
    if (this.receivedBytes > MAX_WINDOW / 2) {
      this.sender.control(FRAME.windowUpdate, 0, 0, [this.receivedBytes])
      this.receivedBytes = 0
    }
    const stream = this.streams.get(frame.streamId)
    if (stream && !stream.isReceived) this.takeBody(stream, frame, (frame.flags & FLAG.endStream) !== 0)
  }

  private takeBody(stream: Http2Stream, { buffer, start, end }: Slice, isLast: boolean): void {
    stream.take(buffer, start, end, isLast)
    if (stream.bodyBytes > MAX_BODY_BYTES) stream.reply({ status: 413, body: '' })
    else if (isLast) {
      if (stream.id > this.lastHandledId) this.lastHandledId = stream.id
      this.context.handle(stream)
    }
  }

  private receiveWindow({ streamId, buffer, start }: FrameHead): void {
    const bytes = buffer.readUInt32BE(start) & MAX_WINDOW
    const stream = streamId === 0 ? undefined : this.streams.get(streamId)
    if (streamId === 0 || stream) this.sender.widen(stream, bytes)
  }

  private receiveSettings({ flags, buffer, start, end }: FrameHead): void {
    if (flags & FLAG.ack) return
    for (let at = start; at + 6 <= end; at += 6) {
      if (buffer.readUInt16BE(at) === SETTING.initialWindowSize) this.changeStreamWindow(buffer.readUInt32BE(at + 2))
    }
    this.sender.control(FRAME.settings, FLAG.ack, 0, [])
  }

  private changeStreamWindow(bytes: number): void {
    const more = bytes - this.sender.streamWindow
    this.sender.streamWindow = bytes
    for (const stream of this.streams.values()) this.sender.widen(stream, more)
  }

  /** The answer has left. A body that still comes is not wanted. */
  private sent(stream: Http2Stream): void {
    stream.isSent = true
    this.streams.delete(stream.id)
    if (!stream.isReceived) this.sender.control(FRAME.rstStream, 0, stream.id, [ERROR.none])
    this.endIfDone()
  }

  private dropById(streamId: number): void {
    const stream = this.streams.get(streamId)
    if (stream) this.drop(stream)
  }

  private drop(stream: Http2Stream): void {
    stream.die()
    this.sender.forget(stream)
    this.streams.delete(stream.id)
    this.endIfDone()
  }

  private dropAll(): void {
    for (const stream of this.streams.values()) stream.die()
    this.streams.clear()
  }

  private endIfDone(): void {
    if (this.lastAllowedId === MAX_WINDOW || this.streams.size > 0) return
    setImmediate(() => {
      this.sender.flush()
      this.socket.end()
    })
  }
}

const NOTHING: Slice = { buffer: Buffer.alloc(0), start: 0, end: 0 }
