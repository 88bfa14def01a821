import { hash } from 'node:crypto'

/** The namespace of Fanfare's deliveries, a random UUID chosen once. */
const NAMESPACE = Buffer.from('8a1d3a3c5f0b4e0f9a6b2f6c1d7e4b90', 'hex')

/** UUID version 5 (RFC 9562 §5.5) of a delivery: the same delivery has the same one on every attempt. */
export function uuidOf(deliveryId: string): string {
  const hex = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(deliveryId)]))
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
