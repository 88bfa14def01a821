import type { Writable } from 'node:stream'

export type Headers = Readonly<Record<string, string | string[] | undefined>>
export type Reply = { status: number; headers?: Readonly<Record<string, string>>; body: string }

/** One request with its way back, the same over HTTP/2 and HTTP/1.1. Header names are lower-case. */
export interface Exchange {
  readonly protocol: 'HTTP/2' | 'HTTP/1.1'
  readonly method: string
  /** Path with the query string. */
  readonly path: string
  readonly headers: Headers
  /** The same object for all requests of one connection. */
  readonly connection: object
  /** The whole body, once `handle` is called. */
  readonly body: string
  readonly bodyBytes: number
  /** When the whole request had been read. */
  readonly arrivedAtMs: number
  /** UID or common name of the TLS client certificate, if one was shown. */
  clientCertificateName(): string | undefined
  reply(reply: Reply): void
  /** Sends the head and gives the body to the caller. */
  open(status: number, headers: Readonly<Record<string, string>>): Writable
  /** Takes nothing more on this connection: GOAWAY with this request as the last one (HTTP/1.1: Connection: close). */
  goAway(): void
  /** HTTP/2: RST_STREAM; HTTP/1.1: as `resetConnection`. `refused` says that the request was not processed. */
  resetStream(code: 'refused' | 'internal'): void
  /** TCP RST. */
  resetConnection(): void
  /** TCP FIN, with no GOAWAY and no answer. */
  endConnection(): void
}

/** Called once per request, with the body read. */
export type Handle = (exchange: Exchange) => void

/** Requests above this are answered 413; it is far above every vendor's own limit. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024
