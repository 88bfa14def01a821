import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

export type Arrival = { stream: ServerHttp2Stream; session: ServerHttp2Session; name: string; path: string }

/** A plain-text HTTP/2 server of a test: `onRequest` decides what becomes of each request. */
export class H2TestServer {
  readonly arrivals: string[] = []
  readonly sessions: ServerHttp2Session[] = []
  open = 0
  mostOpen = 0
  readonly #server: Http2Server

  constructor(onRequest: (arrival: Arrival) => void, settings: Settings = { maxConcurrentStreams: 1000 }) {
    this.#server = createServer({ settings })
    this.#server.on('sessionError', () => {})
    this.#server.on('session', (session) => {
      this.sessions.push(session)
      session.on('error', () => {})
    })
    this.#server.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      this.mostOpen = Math.max(this.mostOpen, ++this.open)
      stream.once('close', () => this.open--)
      const name = String(headers['x-name'])
      this.arrivals.push(name)
      stream.resume()
      stream.on('end', () => {
        const session = stream.session as ServerHttp2Session | undefined
        if (session) onRequest({ stream, session, name, path: String(headers[':path']) })
      })
    })
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    for (const session of this.sessions) session.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export function answer({ stream }: Arrival, status = 200, body = 'ok'): void {
  if (stream.destroyed || stream.closed) return
  stream.respond({ ':status': status })
  stream.end(body)
}
