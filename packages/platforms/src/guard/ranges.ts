import ipaddr from 'ipaddr.js'

export type Address = ipaddr.IPv4 | ipaddr.IPv6

/** All that is handed out for the public internet: https://www.iana.org/assignments/ipv6-unicast-address-assignments */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3')
/** Public by its number, but the machine's own cloud answers there: Azure's metadata and agents. */
const OF_THE_CLOUD = [ipaddr.parse('168.63.129.16')].map(String)

/**
 * Whether anyone on the internet may have this address. Not loopback, private, link-local (metadata services),
 * carrier-grade NAT, multicast, reserved, or one that wraps an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo).
 */
export function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || OF_THE_CLOUD.includes(address.toString())) return false
  return address.kind() === 'ipv4' || address.match(GLOBAL_UNICAST)
}
