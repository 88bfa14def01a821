import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import type { ConnectionOptions } from 'node:tls'
import type { Call } from './call.ts'

export type SessionOptions = {
  origin: string
  tls: ConnectionOptions
  /** Streams open at once, at most; the peer's SETTINGS may say less. */
  maxStreams: number
  connectMs: number
  requestMs: number
  pingAfterMs: number
  pongWithinMs: number
}

/** What a session tells its client. */
export interface SessionOwner {
  /** SETTINGS arrived for the first time, or a stream became free: more can be opened. */
  ready(session: Session): void
  /** The call has its answer, or will have none. */
  done(call: Call): void
  /** The peer did not process it. */
  refused(call: Call): void
  /** No stream will be opened on it any more; `reason` is set where it never became ready. */
  ended(session: Session, failedToConnect?: string): void
}

const CALL = Symbol('call')
const SESSION = Symbol('session')
type Tracked = ClientHttp2Stream & { [CALL]: Call; [SESSION]: Session }

/**
 * One HTTP/2 connection. Streams are opened once the peer's SETTINGS are known; the timer of a request starts when its
 * stream opens. However the connection ends – GOAWAY, FIN, RST, silence – every open call is settled.
 */
export class Session {
  /** In the order of opening, so that the first is the first to time out. */
  readonly open = new Set<Call>()
  readonly #session: ClientHttp2Session
  readonly #owner: SessionOwner
  readonly #options: SessionOptions
  /** The streams it can carry at once; 0 until the peer's SETTINGS came. */
  limit = 0
  #ended = false
  #lastStreamId = Number.MAX_SAFE_INTEGER
  #reason = 'connection closed'
  #heardAt = Date.now()
  #pingedAt = 0
  readonly #startedAt = Date.now()

  constructor(options: SessionOptions, owner: SessionOwner) {
    this.#options = options
    this.#owner = owner
    this.#session = connect(options.origin, {
      ...options.tls,
      settings: { enablePush: false, initialWindowSize: 256 * 1024 },
      maxSessionMemory: 64,
    })
    this.#listen()
  }

  /** How many streams may be opened now. */
  get free(): number {
    return this.#ended ? 0 : this.limit - this.open.size
  }
  get connected(): boolean {
    return this.limit > 0
  }

  /** Opens a stream. The caller has looked at `free`. */
  start(call: Call): void {
    let stream: Tracked
    try {
      stream = this.#session.request(call.headers) as Tracked
    } catch (error) {
      this.#refuseToOpen(call, error)
      return
    }
    stream[CALL] = call
    stream[SESSION] = this
    call.stream = stream
    call.openedAt = Date.now()
    this.open.add(call)
    stream.on('response', onResponse)
    stream.on('data', onData)
    stream.on('error', onError)
    stream.on('frameError', onFrameError)
    stream.on('close', onClose)
    stream.end(call.body)
  }

  /** Gives a call up: what the vendor made of it is unknown. */
  abandon(call: Call, reason: string): void {
    this.#finish(call, reason)
    call.stream?.close(constants.NGHTTP2_CANCEL)
  }

  /** To be called every half second or so: request timers, connect timer, ping. */
  tick(now: number): void {
    if (!this.connected) {
      if (now - this.#startedAt > this.#options.connectMs) this.destroy('no connection in time')
      return
    }
    for (const call of this.open) {
      if (now - call.openedAt < this.#options.requestMs) break
      this.abandon(call, 'no answer in time')
    }
    this.#keepAlive(now)
  }

  /** Opens no more streams and closes once the open ones are done. */
  close(): void {
    this.#end()
    if (!this.#session.closed) this.#session.close()
  }

  destroy(reason: string): void {
    this.#reason = reason
    this.#session.destroy()
    this.#lost()
  }

  settle(call: Call): void {
    this.#heardAt = Date.now()
    this.#finish(call)
  }

  /** The stream closed without a complete answer. */
  broken(call: Call, code: number | undefined): void {
    const id = call.stream?.id ?? Number.POSITIVE_INFINITY
    if (
      call.status === 0 &&
      (call.unprocessed || code === constants.NGHTTP2_REFUSED_STREAM || id > this.#lastStreamId)
    ) {
      this.#giveBack(call)
    } else this.#finish(call, call.reason || (code ? `stream reset, code ${code}` : this.#reason))
  }

  #listen(): void {
    const session = this.#session
    session.on('remoteSettings', ({ maxConcurrentStreams }) => {
      const first = this.limit === 0
      this.limit = Math.max(1, Math.min(maxConcurrentStreams ?? this.#options.maxStreams, this.#options.maxStreams))
      if (first) this.#session.setLocalWindowSize(4 * 1024 * 1024)
      this.#owner.ready(this)
    })
    session.on('goaway', (_code, lastStreamId) => {
      this.#lastStreamId = lastStreamId
      this.#reason = 'connection closed after GOAWAY'
      this.#end()
    })
    session.on('error', (error) => {
      this.#reason = codeOf(error)
    })
    session.on('close', () => this.#lost())
  }

  /** `request` threw, nothing was written: the session is on its way out, or the call is at fault. */
  #refuseToOpen(call: Call, error: unknown): void {
    if (!this.#session.closed && !this.#session.destroyed) {
      call.malformed = true
      call.reason = codeOf(error)
      this.#owner.done(call)
      return
    }
    this.#end()
    this.#owner.refused(call)
  }

  #keepAlive(now: number): void {
    if (this.#pingedAt > 0) {
      if (now - this.#pingedAt > this.#options.pongWithinMs) this.destroy('ping not answered')
      return
    }
    if (now - this.#heardAt < this.#options.pingAfterMs || this.#session.closed || this.#session.destroyed) return
    this.#pingedAt = now
    this.#session.ping((error) => {
      if (error) return
      this.#pingedAt = 0
      this.#heardAt = Date.now()
    })
  }

  #finish(call: Call, reason?: string): void {
    if (!this.open.delete(call)) return
    if (reason !== undefined) {
      call.status = 0
      call.reason = reason
      call.written = true
    }
    this.#owner.done(call)
  }

  #giveBack(call: Call): void {
    if (this.open.delete(call)) this.#owner.refused(call)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#owner.ended(this, this.connected ? undefined : this.#reason)
  }

  #lost(): void {
    this.#end()
    for (const call of this.open) this.broken(call, undefined)
  }
}

function onResponse(this: ClientHttp2Stream, headers: IncomingHttpHeaders & { ':status'?: number }): void {
  const call = (this as Tracked)[CALL]
  call.answer = headers
  call.status = Number(headers[':status'] ?? 0)
}

function onData(this: ClientHttp2Stream, bytes: Buffer): void {
  const { [CALL]: call, [SESSION]: session } = this as Tracked
  if (!call.take(bytes)) session.abandon(call, 'the answer is too long')
}

function onError(this: ClientHttp2Stream, error: Error): void {
  const call = (this as Tracked)[CALL]
  if (call.reason === '') call.reason = codeOf(error)
}

/** A frame of ours could not be sent: the peer never saw the request. */
function onFrameError(this: ClientHttp2Stream): void {
  ;(this as Tracked)[CALL].unprocessed = true
}

/** Only here is it known whether the answer is complete: a stream that was reset emits `end` too. */
function onClose(this: ClientHttp2Stream): void {
  const { [CALL]: call, [SESSION]: session } = this as Tracked
  if (call.stream !== this || !session.open.has(call)) return
  if (call.status > 0 && this.rstCode === constants.NGHTTP2_NO_ERROR && this.readableEnded) session.settle(call)
  else session.broken(call, this.rstCode)
}

const codeOf = (error: unknown): string => (error as { code?: string }).code ?? 'connection failed'
