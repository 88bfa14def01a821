import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { blockOf, Callers, type Network } from './callers.ts'

export type SocketLimits = {
  /** Connections of this process at once, and those of one address. */
  maxSockets: number
  socketsPerAddress: number
  /** Whose X-Forwarded-For is believed. */
  trustedProxies: readonly Network[]
  /** A peer that has not taken its answers for so long is cut off. */
  answerTimeoutMs: number
}

/**
 * The connections of the process. A new one is taken as long as an older one can be given up for it: one on which
 * nobody has proven who he is, the oldest first. So whoever opens many keeps nobody out. Behind a trusted proxy, whose
 * connections carry many callers, the requests under way of each caller are bounded instead.
 */
export class Sockets {
  readonly #limits: SocketLimits
  readonly #callers: Callers
  readonly #byAddress = new Map<string, Set<Socket>>()
  /** A socket that was ended no longer says whose it was. */
  readonly #addresses = new Map<Socket, string>()
  readonly #strangers = new Set<Socket>()
  readonly #proxies = new Set<Socket>()
  /** Requests under way by whom a trusted proxy named. */
  readonly #forwarded = new Map<string, number>()
  /** Since when a peer does not take what was written. */
  readonly #stuck = new Map<Socket, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(limits: SocketLimits) {
    this.#limits = limits
    this.#callers = new Callers(limits.trustedProxies)
  }

  start(): void {
    this.#timer = setInterval(() => this.#cutStuck(), Math.min(1000, this.#limits.answerTimeoutMs / 4))
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get size(): number {
    return this.#addresses.size
  }

  /** Takes a new connection, or ends it. */
  accept(socket: Socket): void {
    const peer = socket.remoteAddress ?? ''
    const address = blockOf(peer)
    const own = this.#byAddress.get(address) ?? new Set()
    const isProxy = this.#callers.isTrusted(peer)
    const tooMany = !isProxy && own.size >= this.#limits.socketsPerAddress
    if (tooMany && !this.#end(this.#strangerOf(own))) return void socket.destroy()
    if (this.size >= this.#limits.maxSockets && !this.#end(this.#victimFor(own))) return void socket.destroy()
    this.#byAddress.set(address, own.add(socket))
    this.#addresses.set(socket, address)
    if (isProxy) this.#proxies.add(socket)
    else this.#strangers.add(socket)
    socket.once('close', () => this.#remove(socket))
  }

  /** A request on this connection came with a token or a secret that holds. */
  known(socket: Socket): void {
    this.#strangers.delete(socket)
  }

  /** Counts a request that came through a trusted proxy until it is answered; false where its caller has too many. */
  enter(req: IncomingMessage, res: ServerResponse): boolean {
    if (this.#proxies.size === 0 || !this.#proxies.has(req.socket)) return true
    const caller = this.callerOf(req)
    if (this.#callers.isTrusted(caller)) return true
    const key = blockOf(caller)
    const count = this.#forwarded.get(key) ?? 0
    if (count >= this.#limits.socketsPerAddress) return false
    this.#forwarded.set(key, count + 1)
    res.once('close', () => this.#leave(key))
    return true
  }

  callerOf(req: IncomingMessage): string {
    return this.#callers.of(req)
  }

  #leave(key: string): void {
    const count = (this.#forwarded.get(key) ?? 1) - 1
    if (count > 0) this.#forwarded.set(key, count)
    else this.#forwarded.delete(key)
  }

  #strangerOf(own: ReadonlySet<Socket>): Socket | undefined {
    for (const socket of own) if (this.#strangers.has(socket)) return socket
    return undefined
  }

  /** Without a stranger it is one of the address that has most, unless that is the one who asks for another. */
  #victimFor(own: ReadonlySet<Socket>): Socket | undefined {
    const [stranger] = this.#strangers
    if (stranger) return stranger
    let most = own
    for (const sockets of this.#byAddress.values()) if (sockets.size > most.size) most = sockets
    const [oldest] = most
    return most === own ? undefined : oldest
  }

  #end(socket: Socket | undefined): boolean {
    if (!socket) return false
    this.#remove(socket)
    socket.destroy()
    return true
  }

  #remove(socket: Socket): void {
    const address = this.#addresses.get(socket)
    if (address === undefined) return
    this.#addresses.delete(socket)
    const own = this.#byAddress.get(address)
    own?.delete(socket)
    if (own?.size === 0) this.#byAddress.delete(address)
    for (const set of [this.#strangers, this.#proxies, this.#stuck]) set.delete(socket)
  }

  /** Looked at from time to time, so that a request costs no timer. */
  #cutStuck(): void {
    const now = performance.now()
    for (const socket of this.#addresses.keys()) this.#judge(socket, now)
  }

  #judge(socket: Socket, now: number): void {
    if (socket.writableLength === 0) {
      this.#stuck.delete(socket)
      return
    }
    const since = this.#stuck.get(socket)
    if (since === undefined) this.#stuck.set(socket, now)
    else if (now - since > this.#limits.answerTimeoutMs) this.#end(socket)
  }
}
