import type { RequestListener } from 'node:http'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createServer as createTlsServer } from 'node:tls'
import type { TestCertificate } from '../certificate.ts'
import type { Settings } from '../settings.ts'
import type { Handle } from './exchange.ts'
import { Http2Connection } from './h2/connection.ts'
import { acceptHttp1 } from './http1.ts'
import { Sockets } from './sockets.ts'

export type VendorServer = { port: number; close(): Promise<void> }
type Address = { host: string; port: number }

/** Listens on one TLS port for HTTP/2 and HTTP/1.1, as ALPN decides. */
export async function listenForVendors(
  certificate: TestCertificate,
  settings: Settings,
  address: Address,
  handle: Handle,
): Promise<VendorServer> {
  const server = createTlsServer({
    ALPNProtocols: ['h2', 'http/1.1'],
    key: certificate.keyPem,
    cert: certificate.certPem,
    minVersion: 'TLSv1.2',
    requestCert: true,
    rejectUnauthorized: false,
    noDelay: true,
  })
  const sockets = new Sockets(server)
  const onHttp1: RequestListener = (request, response) => acceptHttp1(request, response, sockets, handle)
  const http1 = createHttpServer({ keepAliveTimeout: 60_000 }, onHttp1)
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') new Http2Connection(socket, { sockets, settings, handle })
    else http1.emit('connection', socket)
  })
  server.on('tlsClientError', ignore)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address.port, address.host, resolve)
  })
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      sockets.destroyAll()
    })
  return { port: (server.address() as AddressInfo).port, close }
}

function ignore(): void {}
