import { Writable } from 'node:stream'
import { nowMs } from '../../clock.ts'
import type { Exchange, Headers, Reply } from '../exchange.ts'
import { MAX_BODY_BYTES } from '../exchange.ts'
import type { PlainHeaders } from './header-encoder.ts'

/** Bytes that wait for the peer to open its windows. */
export type Pending = { data: Buffer; at: number; end: boolean; done?: (() => void) | undefined }

/** What a stream asks of its connection. */
export interface StreamHost {
  sendHead(stream: Http2Stream, status: number, headers: PlainHeaders | undefined, isLast: boolean): void
  sendText(stream: Http2Stream, body: string): void
  sendData(stream: Http2Stream, data: Buffer, isLast: boolean, done: () => void): void
  resetStream(stream: Http2Stream, code: 'refused' | 'internal'): void
  succeed(): void
  clientName(): string | undefined
  goAway(): void
  reset(): void
  end(): void
}

/** One request with its answer. */
export class Http2Stream implements Exchange {
  readonly protocol = 'HTTP/2'
  readonly id: number
  readonly headers: Headers
  readonly connection: StreamHost
  arrivedAtMs = 0
  body = ''
  bodyBytes = 0
  /** How many bytes the peer still takes on this stream. */
  sendWindow: number
  /** Nothing more comes / goes. */
  isReceived = false
  isSent = false
  /** Reset by either side, or the connection is gone. */
  isDead = false
  readonly pending: Pending[] = []
  private chunks: Buffer[] | undefined
  private writer: Writable | undefined

  constructor(id: number, headers: Headers, connection: StreamHost, sendWindow: number) {
    this.id = id
    this.headers = headers
    this.connection = connection
    this.sendWindow = sendWindow
  }

  get method(): string {
    return this.headers[':method'] as string
  }

  get path(): string {
    return this.headers[':path'] as string
  }

  /** Takes `source[start, end)`; with `isLast` the body is complete. A body in one frame is decoded where it lies. */
  take(source: Buffer, start: number, end: number, isLast: boolean): void {
    this.bodyBytes += end - start
    if (isLast && !this.chunks) this.body = source.toString('utf8', start, end)
    else if (this.bodyBytes <= MAX_BODY_BYTES) {
      this.chunks ??= []
      this.chunks.push(Buffer.from(source.subarray(start, end)))
      if (isLast) this.body = Buffer.concat(this.chunks).toString('utf8')
    }
    if (!isLast) return
    this.isReceived = true
    this.arrivedAtMs = nowMs()
  }

  clientCertificateName(): string | undefined {
    return this.connection.clientName()
  }

  reply({ status, headers, body }: Reply): void {
    if (this.isDead || this.isSent) return
    this.connection.sendHead(this, status, headers, body === '')
    if (body !== '') this.connection.sendText(this, body)
    if (status === 200) this.connection.succeed()
  }

  open(status: number, headers: PlainHeaders): Writable {
    if (!this.isDead) this.connection.sendHead(this, status, headers, false)
    this.writer = new Writable({
      write: (chunk: Buffer, _encoding, done) => this.connection.sendData(this, chunk, false, done),
      final: (done) => this.connection.sendData(this, Buffer.alloc(0), true, done),
    })
    this.writer.on('error', () => undefined)
    if (this.isDead) this.writer.destroy()
    return this.writer
  }

  goAway(): void {
    this.connection.goAway()
  }

  resetStream(code: 'refused' | 'internal'): void {
    if (!this.isDead) this.connection.resetStream(this, code)
  }

  resetConnection(): void {
    this.connection.reset()
  }

  endConnection(): void {
    this.connection.end()
  }

  /** No more answer is wanted. */
  die(): void {
    this.isDead = true
    this.pending.length = 0
    this.writer?.destroy()
  }
}
