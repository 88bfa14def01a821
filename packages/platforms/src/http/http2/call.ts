import type { ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2'

/** An answer longer than this is cut off; its outcome is unknown (docs/reliability.md T55). */
export const ANSWER_BYTES = 64 * 1024

/**
 * One request of a source, and later its answer. Plain fields and no closures: a worker makes ten thousand of them per
 * second (docs/limits.md §3).
 */
export class Call {
  readonly source: Source
  /** Which member of the batch it is. */
  readonly index: number
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer | string
  /** 0 = no answer was had: then `written` says whether the peer may have processed it. */
  status = 0
  answer: IncomingHttpHeaders | undefined
  /** Why there is no answer. */
  reason = ''
  written = false
  stream: ClientHttp2Stream | undefined
  openedAt = 0
  /** The request cannot be put into HTTP/2 at all (a header with an illegal value). */
  malformed = false
  /** How often the peer refused it unprocessed (REFUSED_STREAM, GOAWAY). */
  refused = 0
  /** The peer said that it will not process this stream. */
  unprocessed = false
  settled = false
  bytes = 0
  #body: Buffer | Buffer[] | undefined

  constructor(source: Source, index: number, request: { headers: OutgoingHttpHeaders; body: Buffer | string }) {
    this.source = source
    this.index = index
    this.headers = request.headers
    this.body = request.body
  }

  /** The body of the answer. */
  get text(): string {
    if (!this.#body) return ''
    return Array.isArray(this.#body) ? Buffer.concat(this.#body).toString('utf8') : this.#body.toString('utf8')
  }

  /** False: the answer is too long. */
  take(bytes: Buffer): boolean {
    this.bytes += bytes.length
    if (this.bytes > ANSWER_BYTES) return false
    if (!this.#body) this.#body = bytes
    else if (Array.isArray(this.#body)) this.#body.push(bytes)
    else this.#body = [this.#body, bytes]
    return true
  }

  /** Forgets what a refused attempt left, so that it can be opened again. */
  reset(): void {
    this.status = 0
    this.answer = undefined
    this.stream = undefined
    this.unprocessed = false
    this.bytes = 0
    this.#body = undefined
  }
}

/** Where a client takes its requests from: a batch that hands them out one by one, as streams become free. */
export interface Source {
  /** Single and synchronous pushes go before chunks of tasks. */
  readonly urgent: boolean
  /** True: nothing more is to be sent, calls that come back refused are settled as not written. */
  readonly stopped: boolean
  /** The next request, or undefined when there is none left. */
  next(): Call | undefined
  /** The answer (or its lack) stands in the call. Called once per call. */
  settle(call: Call): void
  /** Nothing more can be sent: what `next` has not given out stays unsent. */
  halt(reason: string): void
}
