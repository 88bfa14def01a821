import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { nowMs } from '../clock.ts'
import { clientCertificateName } from './client-certificate.ts'
import type { Exchange, Handle, Headers, Reply } from './exchange.ts'
import { MAX_BODY_BYTES } from './exchange.ts'
import type { Sockets } from './sockets.ts'

/** Reads the body of an HTTP/1.1 request and hands the exchange on. */
export function acceptHttp1(
  request: IncomingMessage,
  response: ServerResponse,
  sockets: Sockets,
  handle: Handle,
): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  })
  request.on('error', ignore)
  response.on('error', ignore)
  request.on('end', () => {
    const exchange = new Http1Exchange(request, response, sockets)
    if (bytes > MAX_BODY_BYTES) {
      exchange.reply({ status: 413, body: '' })
      return
    }
    exchange.read(Buffer.concat(chunks))
    handle(exchange)
  })
}

class Http1Exchange implements Exchange {
  readonly protocol = 'HTTP/1.1'
  readonly method: string
  readonly path: string
  readonly headers: Headers
  readonly connection: object
  readonly arrivedAtMs = nowMs()
  body = ''
  bodyBytes = 0
  private readonly response: ServerResponse
  private readonly sockets: Sockets
  private readonly clientPort: number | undefined

  constructor(request: IncomingMessage, response: ServerResponse, sockets: Sockets) {
    this.method = request.method ?? ''
    this.path = request.url ?? ''
    this.headers = request.headers
    this.connection = request.socket
    this.clientPort = request.socket.remotePort
    this.response = response
    this.sockets = sockets
  }

  read(body: Buffer): void {
    this.bodyBytes = body.length
    this.body = body.toString('utf8')
  }

  clientCertificateName(): string | undefined {
    return clientCertificateName(this.connection as TLSSocket)
  }

  reply({ status, headers, body }: Reply): void {
    if (this.response.destroyed) return
    this.response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
  }

  open(status: number, headers: Readonly<Record<string, string>>): Writable {
    return this.response.writeHead(status, headers)
  }

  goAway(): void {
    this.response.setHeader('connection', 'close')
  }

  resetStream(): void {
    this.resetConnection()
  }

  resetConnection(): void {
    this.sockets.reset(this.clientPort)
  }

  endConnection(): void {
    this.sockets.end(this.clientPort)
  }
}

function ignore(): void {}
