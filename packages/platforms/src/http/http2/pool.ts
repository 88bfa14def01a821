import { createSecureContext, rootCertificates, type SecureContext, type SecureContextOptions } from 'node:tls'
import { type ClientOptions, Http2Client } from './client.ts'

export type PoolOptions = Pick<ClientOptions, 'maxStreams' | 'maxSessions' | 'requestMs' | 'connectMs'> & {
  /** PEM to trust besides the public roots. */
  ca?: string | undefined
}

/** `tls`: a client certificate. `maxInFlight`: requests open at once, where the channel allows fewer than the pool. */
export type LeaseOptions = { tls?: SecureContextOptions | undefined; maxInFlight?: number | undefined }

const MAX_STREAMS = 500

/** A client that several channels with the same credential may share; `release` when it is no longer needed. */
export type ClientLease = { client: Http2Client; release(): Promise<void> }

/**
 * The HTTP/2 connections of a process, one client per origin and `clientKey`. Kept over pushes: firebase-admin opens a
 * session per call, `apn` has no cap on what is in flight (docs/vendors.md §1b, §2b).
 */
export class Http2Pool {
  readonly #options: PoolOptions
  readonly #clients = new Map<string, { client: Http2Client; users: number }>()

  readonly #context: SecureContext | undefined

  constructor(options: PoolOptions = {}) {
    this.#options = options
    this.#context = options.ca ? this.#contextOf({}) : undefined
  }

  /** Who leases with the same `clientKey` (opener.ts) shares a client; it is a hash, never the credential. */
  lease(origin: string, clientKey: string, more: LeaseOptions = {}): ClientLease {
    const key = `${origin} ${clientKey}`
    const entry = this.#clients.get(key) ?? { client: this.#open(origin, more), users: 0 }
    entry.users++
    this.#clients.set(key, entry)
    return { client: entry.client, release: once(() => this.#release(key)) }
  }

  async close(): Promise<void> {
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    await Promise.all(clients.map(({ client }) => client.close()))
  }

  #open(origin: string, { tls, maxInFlight }: LeaseOptions): Http2Client {
    const { ca: _ca, maxStreams = MAX_STREAMS, ...limits } = this.#options
    const streams = maxInFlight ? Math.min(maxStreams, maxInFlight) : maxStreams
    const secureContext = tls ? this.#contextOf(tls) : this.#context
    return new Http2Client({ ...limits, maxStreams: streams, origin, tls: secureContext ? { secureContext } : {} })
  }

  /** Made once: reading the public roots anew for every connection takes longer than the handshake. */
  #contextOf(tls: SecureContextOptions): SecureContext {
    const { ca } = this.#options
    return createSecureContext(ca ? { ...tls, ca: [...rootCertificates, ca] } : tls)
  }

  async #release(key: string): Promise<void> {
    const entry = this.#clients.get(key)
    if (!entry || --entry.users > 0) return
    this.#clients.delete(key)
    await entry.client.close()
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  return () => {
    done ??= work()
    return done
  }
}
