import { createHash } from 'node:crypto'

/** The namespace of Fanfare's deliveries, a random UUID chosen once. */
const NAMESPACE = Buffer.from('8a1d3a3c5f0b4e0f9a6b2f6c1d7e4b90', 'hex')

/** UUID version 5 (RFC 9562 §5.5) of a delivery: the same delivery has the same one on every attempt. */
export function uuidOf(deliveryId: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(deliveryId).digest()
  hash[6] = ((hash[6] as number) & 0x0f) | 0x50
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
