import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Address } from './ranges.ts'

/** What an operator lets tenants reach although it is not public: a name or a range, on one port or on the usual ones. */
export type AllowedAddress = { port?: number } & ({ name: string } | { range: [Address, number] })

const NAME = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i
/** `[2001:db8::1]`, `[::1]:25`, `10.0.0.0/8`, `fd00::/8`, `mail.internal`, `mail.internal:25`; a bare IPv6 address has no port. */
const ENTRY = /^(?:\[(?<six>[^\]]+)\]|(?<plain>[^:[\]]+))(?::(?<port>\d{1,5}))?$/
const MOST_BITS = { ipv4: 32, ipv6: 128 } as const

/** Names such as `127.1`, `0x7f.1`, `2130706433`: resolvers of old take them for addresses. */
export const looksLikeNumber = (host: string): boolean => /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/i.test(host)
export const isName = (host: string): boolean => NAME.test(host) && !looksLikeNumber(host)

/** Reads `host`, `host:port`, address and CIDR entries between commas; throws what is wrong, a sentence that begins with its verb. */
export function readAllowedAddresses(text = ''): AllowedAddress[] {
  const entries = text.split(',').map((entry) => entry.trim())
  return entries.filter((entry) => entry !== '').map((entry) => entryOf(entry) ?? refuse(entry))
}

function refuse(entry: string): never {
  const wanted = 'names, IP addresses and CIDRs, each with :port where it is for one port'
  throw new Error(`must list ${wanted}, separated by commas; ${JSON.stringify(entry)} is none of these`)
}

function entryOf(entry: string): AllowedAddress | undefined {
  const bare = rangeOf(entry)
  if (bare) return { range: bare }
  const { six, plain, port } = ENTRY.exec(entry)?.groups ?? {}
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return undefined
  const at = port === undefined ? {} : { port: Number(port) }
  const range = rangeOf(six ?? plain ?? '')
  if (range) return (range[0].kind() === 'ipv6') === (six !== undefined) ? { range, ...at } : undefined
  return plain !== undefined && isName(plain) ? { name: plain.toLowerCase(), ...at } : undefined
}

function rangeOf(text: string): [Address, number] | undefined {
  const [host = '', bits, ...more] = text.split('/')
  if (isIP(host) === 0 || host.includes('%') || more.length > 0) return undefined
  const address = ipaddr.parse(host)
  const most = MOST_BITS[address.kind()]
  if (bits === undefined) return [address, most]
  return /^\d{1,3}$/.test(bits) && Number(bits) <= most ? [address, Number(bits)] : undefined
}

export const covers = ([range, bits]: [Address, number], address: Address): boolean =>
  range.kind() === address.kind() && address.match(range, bits)
