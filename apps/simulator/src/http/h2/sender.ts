import type { TLSSocket } from 'node:tls'
import { DEFAULT_WINDOW, FLAG, FRAME, MAX_FRAME_BYTES } from './frames.ts'
import type { PlainHeaders } from './header-encoder.ts'
import { HeadBlock } from './header-encoder.ts'
import { Output } from './output.ts'
import type { Http2Stream } from './stream.ts'

/** The sending half of a connection: frames, flow control, and one write per turn of the event loop. */
export class Sender {
  /** What the peer's SETTINGS give a new stream. */
  streamWindow = DEFAULT_WINDOW
  private connectionWindow = DEFAULT_WINDOW
  private readonly output = new Output()
  private readonly socket: TLSSocket
  private readonly blocked = new Set<Http2Stream>()
  private readonly onSent: (stream: Http2Stream) => void
  private isCorked = false
  private isFlushDue = false

  constructor(socket: TLSSocket, onSent: (stream: Http2Stream) => void) {
    this.socket = socket
    this.onSent = onSent
  }

  /** Holds writes back until `uncork`: the answers to one read leave together. */
  cork(): void {
    this.isCorked = true
  }

  uncork(): void {
    this.isCorked = false
    this.flush()
  }

  /** A frame whose payload is a list of 32-bit numbers. */
  control(type: number, flags: number, streamId: number, words: readonly number[]): void {
    this.output.frame(words.length * 4, type, flags, streamId)
    for (const word of words) this.output.uint32(word)
    this.flushSoon()
  }

  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    this.output.frame(settings.length * 6, FRAME.settings, 0, 0)
    for (const [id, value] of settings) {
      this.output.uint16(id)
      this.output.uint32(value)
    }
    this.flushSoon()
  }

  echoPing(source: Buffer, start: number): void {
    this.output.frame(8, FRAME.ping, FLAG.ack, 0)
    this.output.bytes(source, start, start + 8)
    this.flushSoon()
  }

  head(stream: Http2Stream, status: number, headers: PlainHeaders | undefined, isLast: boolean): void {
    const block = new HeadBlock(status, headers)
    this.output.frame(block.length, FRAME.headers, FLAG.endHeaders | (isLast ? FLAG.endStream : 0), stream.id)
    block.writeTo(this.output)
    if (isLast) this.onSent(stream)
    this.flushSoon()
  }

  /** The whole body of an answer. */
  text(stream: Http2Stream, body: string): void {
    const length = Buffer.byteLength(body)
    if (length > Math.min(this.connectionWindow, stream.sendWindow, MAX_FRAME_BYTES)) {
      this.data(stream, Buffer.from(body), true)
      return
    }
    this.spend(stream, length)
    this.output.frame(length, FRAME.data, FLAG.endStream, stream.id)
    this.output.text(body)
    this.onSent(stream)
    this.flushSoon()
  }

  /** `done` is called when all of it has been given to the socket, or will never be. */
  data(stream: Http2Stream, data: Buffer, end: boolean, done?: () => void): void {
    if (stream.isDead || stream.isSent) {
      done?.()
      return
    }
    stream.pending.push({ data, at: 0, end, done })
    this.drain(stream)
    this.flushSoon()
  }

  /** The peer takes more: on one stream, or (undefined) on the connection. */
  widen(stream: Http2Stream | undefined, bytes: number): void {
    if (stream) stream.sendWindow += bytes
    else this.connectionWindow += bytes
    for (const waiting of this.blocked) this.drain(waiting)
    this.flushSoon()
  }

  forget(stream: Http2Stream): void {
    this.blocked.delete(stream)
  }

  flush(): void {
    this.isFlushDue = false
    if (this.output.isEmpty || this.isCorked) return
    const bytes = this.output.take()
    if (this.socket.writable) this.socket.write(bytes)
  }

  private drain(stream: Http2Stream): void {
    let next = stream.pending[0]
    for (; next; next = stream.pending[0]) {
      const room = Math.min(this.connectionWindow, stream.sendWindow, MAX_FRAME_BYTES)
      const length = Math.min(next.data.length - next.at, Math.max(room, 0))
      if (length === 0 && next.at < next.data.length) break
      const isLast = next.end && next.at + length === next.data.length
      this.output.frame(length, FRAME.data, isLast ? FLAG.endStream : 0, stream.id)
      this.output.bytes(next.data, next.at, next.at + length)
      this.spend(stream, length)
      next.at += length
      if (next.at === next.data.length) this.complete(stream, isLast)
    }
    if (next) this.blocked.add(stream)
    else this.blocked.delete(stream)
  }

  private complete(stream: Http2Stream, isLast: boolean): void {
    stream.pending.shift()?.done?.()
    if (isLast) this.onSent(stream)
  }

  private spend(stream: Http2Stream, bytes: number): void {
    this.connectionWindow -= bytes
    stream.sendWindow -= bytes
  }

  private flushSoon(): void {
    if (this.isCorked || this.isFlushDue) return
    this.isFlushDue = true
    setImmediate(() => this.flush())
  }
}
