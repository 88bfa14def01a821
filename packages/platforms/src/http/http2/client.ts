import type { ConnectionOptions } from 'node:tls'
import type { Call, Source } from './call.ts'
import { Session, type SessionOptions, type SessionOwner } from './session.ts'

export type ClientOptions = {
  /** `https://host:port`; `http:` speaks HTTP/2 in plain text (simulators only). */
  origin: string
  tls: ConnectionOptions
  /** Of one session, at most; default 500 (docs/limits.md §3: more adds no throughput). */
  maxStreams?: number
  /** Sessions at most, opened one by one while the peer's SETTINGS allow fewer than `maxStreams` and work waits. */
  maxSessions?: number
  requestMs?: number
  connectMs?: number
  pingAfterMs?: number
  pongWithinMs?: number
}

const TICK_MS = 250
const RECONNECT = { firstMs: 100, maxMs: 5000 }
/** A call that was refused this often unprocessed goes back to the ledger. */
const MAX_REFUSED = 20

/**
 * All connections to one origin with one credential. Work comes from sources: urgent ones first, the others in turn,
 * each giving one call at a time as streams become free, so memory does not grow with the batches.
 */
export class Http2Client implements SessionOwner {
  readonly #options: SessionOptions
  readonly #maxSessions: number
  readonly #sessions = new Set<Session>()
  /** Ended for new streams, still with open ones. */
  readonly #draining = new Set<Session>()
  readonly #urgent: Source[] = []
  readonly #bulk: Source[] = []
  readonly #again: Call[] = []
  #failures = 0
  #nextConnectAt = 0
  #retry: NodeJS.Timeout | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false
  #pumping = false

  constructor(options: ClientOptions) {
    this.#options = {
      origin: options.origin,
      tls: options.tls,
      maxStreams: options.maxStreams ?? 500,
      connectMs: options.connectMs ?? 10_000,
      requestMs: options.requestMs ?? 15_000,
      pingAfterMs: options.pingAfterMs ?? 15_000,
      pongWithinMs: options.pongWithinMs ?? 10_000,
    }
    this.#maxSessions = options.maxSessions ?? 4
  }

  /** The source's calls will be sent; each comes back through `settle`, whatever happens. */
  add(source: Source): void {
    if (this.#closed) {
      source.halt('the pusher is closed')
      return
    }
    const queue = source.urgent ? this.#urgent : this.#bulk
    queue.push(source)
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS)
    this.#pump()
  }

  /** Settles what the source has open as unknown; it gives out no more calls (its `stopped` is true by now). */
  abandon(source: Source, reason: string): void {
    for (const session of [...this.#sessions, ...this.#draining]) {
      for (const call of session.open) if (call.source === source) session.abandon(call, reason)
    }
    this.#dropStopped()
  }

  /** Lets open streams finish, up to `withinMs`. What waits is settled as not written. */
  async close(withinMs = 5000): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#failQueued('the pusher is closed')
    const ending = [...this.#sessions, ...this.#draining]
    for (const session of ending) session.close()
    const deadline = Date.now() + withinMs
    while (ending.some((session) => session.open.size > 0) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    for (const session of ending) session.destroy('the pusher is closed')
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  ready(session: Session): void {
    if (session.connected) this.#failures = 0
    this.#pump()
  }

  done(call: Call): void {
    this.#settle(call)
    this.#pump()
  }

  refused(call: Call): void {
    call.refused++
    const reason = 'refused unprocessed'
    call.reset()
    if (call.refused >= MAX_REFUSED || call.source.stopped || this.#closed) this.#settle(call, reason)
    else this.#again.push(call)
    this.#pump()
  }

  ended(session: Session, failedToConnect?: string): void {
    this.#sessions.delete(session)
    if (session.open.size > 0) this.#draining.add(session)
    if (failedToConnect === undefined) this.#pump()
    else this.#connectFailed(failedToConnect)
  }

  #connectFailed(reason: string): void {
    this.#failures++
    const waitMs = Math.min(RECONNECT.maxMs, RECONNECT.firstMs * 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2)
    this.#nextConnectAt = Date.now() + waitMs
    if (this.#sessions.size === 0) this.#failQueued(reason)
  }

  /** Opens streams while there are calls and room for them. Re-entrant calls are left to the loop that runs. */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (;;) {
        const session = this.#roomiest()
        if (!session) break
        const call = this.#nextCall()
        if (!call) break
        session.start(call)
      }
    } finally {
      this.#pumping = false
    }
    this.#grow()
  }

  #roomiest(): Session | undefined {
    let best: Session | undefined
    for (const session of this.#sessions) {
      if (session.free > 0 && (!best || session.free > best.free)) best = session
    }
    return best
  }

  #nextCall(): Call | undefined {
    return this.#again.shift() ?? callOf(this.#urgent) ?? callOf(this.#bulk)
  }

  get #hasWork(): boolean {
    return this.#again.length + this.#urgent.length + this.#bulk.length > 0
  }

  /** Opens a session where work waits and there is none, or where the peer's limit keeps the present ones too narrow. */
  #grow(): void {
    if (!this.#hasWork || this.#closed || this.#retry) return
    let streams = 0
    for (const session of this.#sessions) {
      if (!session.connected) return
      streams += session.limit
    }
    if (this.#sessions.size >= this.#maxSessions || streams >= this.#options.maxStreams) return
    const waitMs = this.#nextConnectAt - Date.now()
    if (waitMs > 0) this.#retry = setTimeout(() => this.#growNow(), waitMs)
    else this.#sessions.add(new Session(this.#options, this))
  }

  #growNow(): void {
    this.#retry = undefined
    this.#nextConnectAt = 0
    this.#grow()
  }

  #tick(): void {
    const now = Date.now()
    for (const session of this.#sessions) session.tick(now)
    for (const session of this.#draining) {
      if (session.open.size === 0) this.#draining.delete(session)
      else session.tick(now)
    }
    if (this.#sessions.size + this.#draining.size > 0 || this.#hasWork) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** Nothing can be sent now: whatever waits is given back as not written. */
  #failQueued(reason: string): void {
    for (const call of this.#again.splice(0)) this.#settle(call, reason)
    for (const source of [...this.#urgent.splice(0), ...this.#bulk.splice(0)]) source.halt(reason)
  }

  #dropStopped(): void {
    const stopped = this.#again.filter((call) => call.source.stopped)
    for (const call of stopped) {
      this.#again.splice(this.#again.indexOf(call), 1)
      this.#settle(call, 'aborted')
    }
  }

  /** `unsent`: why the call was never written; else the answer stands in it. */
  #settle(call: Call, unsent?: string): void {
    if (call.settled) return
    call.settled = true
    if (unsent !== undefined) call.reason = unsent
    call.source.settle(call)
  }
}

/** One call of the first source that has one; that source goes to the end, so that batches take turns. */
function callOf(queue: Source[]): Call | undefined {
  for (let source = queue[0]; source; source = queue[0]) {
    const call = source.next()
    queue.shift()
    if (!call) continue
    queue.push(source)
    return call
  }
  return undefined
}
