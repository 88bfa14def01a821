import { lookup, Resolver } from 'node:dns/promises'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import ipaddr from 'ipaddr.js'
import { type AllowedAddress, covers, isName } from './allowed.ts'
import { isPublic } from './ranges.ts'

/** A host and port that a tenant wrote; `ports` are those this kind of server has anywhere. */
export type WrittenAddress = { host: string; port: number; ports: ReadonlySet<number> }

/** The sentence follows the field's name: `host is not a public address`. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
  readonly part: 'host' | 'port'
  readonly detail: string
  constructor(part: 'host' | 'port', detail: string) {
    super(`${part} ${detail}`)
    this.part = part
    this.detail = detail
  }
}

/**
 * Keeps tenants from reaching what is not public through us (SSRF). Every connection to an address that a tenant wrote
 * is opened here, so that nothing is resolved again between the check and the connection.
 */
export interface AddressGuard {
  /** Throws AddressRefused by the text alone. */
  examine(written: WrittenAddress): void
  /** The IP addresses that may be connected to, all checked. Rejects with AddressRefused, or as the look-up fails. */
  resolve(written: WrittenAddress): Promise<string[]>
  /** Resolves anew and connects to a checked address. The caller ends what it no longer waits for. */
  connect(written: WrittenAddress): Promise<Socket>
}

export type AddressGuardOptions = {
  /** The operator's exceptions, FANFARE_ALLOWED_ADDRESSES. */
  allowed?: readonly AllowedAddress[]
  /** All addresses of a name. */
  resolve?: (name: string) => Promise<string[]>
}

export function openAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  return new PublicAddresses(options)
}

const LOOKUP = { timeout: 2000, tries: 2 }
/** Of several addresses, the next one is tried after this. */
const NEXT_ADDRESS_MS = 2000
const MOST_ADDRESSES = 4
const CONNECT_MS = 10_000
/** Never public: RFC 6761, 6762, 8375 and ICANN's `internal`. Names without a dot are the local network's. */
const LOCAL_SUFFIX = /(?:^|\.)(?:localhost|localdomain|local|internal|home\.arpa)$/i
const NO_HOST = 'must be the name of a server or its plain IP address'
const NOT_PUBLIC = 'is not a public address'

class PublicAddresses implements AddressGuard {
  readonly #allowed: readonly AllowedAddress[]
  readonly #resolvePublic: (name: string) => Promise<string[]>

  constructor({ allowed = [], resolve = openResolver() }: AddressGuardOptions) {
    this.#allowed = allowed
    this.#resolvePublic = resolve
  }

  examine(written: WrittenAddress): void {
    const { host, port, ports } = written
    if (isIP(host) !== 0) this.#judge(host, written)
    else if (!isName(host)) throw new AddressRefused('host', NO_HOST)
    else if (!this.#allowsName(written) && (!host.includes('.') || LOCAL_SUFFIX.test(host))) {
      throw new AddressRefused('host', NOT_PUBLIC)
    }
    if (ports.has(port) || this.#allowed.some((entry) => entry.port === port)) return
    throw new AddressRefused('port', `must be one of ${[...ports].join(', ')}`)
  }

  async resolve(written: WrittenAddress): Promise<string[]> {
    this.examine(written)
    const { host } = written
    const addresses = isIP(host) === 0 ? await this.#addressesOf(written) : [host]
    for (const address of addresses) this.#judge(address, written)
    return addresses.slice(0, MOST_ADDRESSES)
  }

  async connect(written: WrittenAddress): Promise<Socket> {
    return connectTo(written, await this.resolve(written))
  }

  /** An allowed name is resolved as the machine does it, with its hosts file and search domains; others by DNS alone. */
  async #addressesOf(written: WrittenAddress): Promise<string[]> {
    if (!this.#allowsName(written)) return this.#resolvePublic(written.host)
    return (await lookup(written.host, { all: true })).map(({ address }) => address)
  }

  #allowsName({ host, port, ports }: WrittenAddress): boolean {
    return this.#allowed.some(
      (entry) => 'name' in entry && entry.name === host.toLowerCase() && fits(entry, port, ports),
    )
  }

  #judge(text: string, written: WrittenAddress): void {
    const address = ipaddr.parse(text)
    const { port, ports } = written
    const isAllowed = this.#allowed.some(
      (entry) => 'range' in entry && covers(entry.range, address) && fits(entry, port, ports),
    )
    if (isAllowed || this.#allowsName(written)) return
    if (!isPublic(address)) throw new AddressRefused('host', NOT_PUBLIC)
    if (!ports.has(port)) throw new AddressRefused('port', `must be one of ${[...ports].join(', ')}`)
  }
}

/** An exception for one port is for that alone; one without holds for the ports that such servers have anyway. */
const fits = (entry: AllowedAddress, port: number, ports: ReadonlySet<number>): boolean =>
  entry.port === undefined ? ports.has(port) : entry.port === port

/** DNS without the thread pool, which a slow name server of a tenant would otherwise fill for the whole process. */
function openResolver(): (name: string) => Promise<string[]> {
  const resolver = new Resolver(LOOKUP)
  return async (name) => {
    const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
    const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
    if (addresses.length > 0) return addresses
    throw found.find((one) => one.status === 'rejected')?.reason ?? new Error(`no address of ${name}`)
  }
}

/** The name is never looked up again: the socket asks for it and gets what was checked. */
function connectTo({ host, port }: WrittenAddress, checked: readonly string[]): Promise<Socket> {
  const answer = checked.map((address) => ({ address, family: isIP(address) }))
  const known: LookupFunction = (_name, _options, done) => setImmediate(() => done(null, answer))
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port, lookup: known, autoSelectFamily: true },
      autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
    })
    const timer = setTimeout(() => socket.destroy(timedOut()), CONNECT_MS)
    socket.once('error', reject)
    socket.once('close', () => clearTimeout(timer))
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

const timedOut = (): Error => Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })
