import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

type Address = ipaddr.IPv4 | ipaddr.IPv6
/** An address and how many of its bits count. */
export type Network = readonly [Address, number]

/** Reads `10.0.0.0/8, 192.0.2.7`; throws what is wrong, a sentence that begins with its verb. */
export function readNetworks(text: string | undefined): Network[] {
  const parts = (text ?? '').split(',').map((part) => part.trim())
  return parts.filter((part) => part !== '').map((part) => networkOf(part))
}

function networkOf(text: string): Network {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.process(text)
    return [address, address.toByteArray().length * 8]
  } catch {
    throw new Error(`must list addresses and CIDRs such as 10.0.0.0/8, it has ${text}`)
  }
}

/** Who calls: the peer of the connection or, where that is a trusted proxy, whom the proxy names. */
export class Callers {
  readonly #trusted: readonly Network[]

  constructor(trusted: readonly Network[]) {
    this.#trusted = trusted
  }

  isTrusted(address: string): boolean {
    const parsed = this.#trusted.length === 0 ? undefined : parse(address)
    return parsed !== undefined && this.#trusted.some(([network, bits]) => isWithin(parsed, network, bits))
  }

  /** The nearest address of X-Forwarded-For that no trusted proxy has; what stands before it anybody may have written. */
  of(req: Pick<IncomingMessage, 'headers' | 'socket'>): string {
    let caller = req.socket.remoteAddress ?? ''
    const named = String(req.headers['x-forwarded-for'] ?? '').split(',')
    while (this.isTrusted(caller)) {
      const next = named.pop()?.trim()
      if (!next || !parse(next)) break
      caller = next
    }
    return caller
  }
}

/** What one peer can have many of counts as one: an IPv6 peer has a network of 64 bits. */
export function blockOf(address: string): string {
  const parsed = parse(address)
  if (!(parsed instanceof ipaddr.IPv6)) return parsed?.toString() ?? address
  return parsed.parts.slice(0, 4).join(':')
}

function parse(address: string): Address | undefined {
  try {
    return ipaddr.process(address)
  } catch {
    return undefined
  }
}

function isWithin(address: Address, network: Address, bits: number): boolean {
  if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits)
  return network instanceof ipaddr.IPv6 && address.match(network, bits)
}
