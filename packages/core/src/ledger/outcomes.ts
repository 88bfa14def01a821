import { OUTCOMES, type Outcome } from '../nouns/chunk.ts'

const CODE = new Map(OUTCOMES.map((outcome, code) => [outcome, code]))
const FINAL = new Set<Outcome>(['sent', 'invalid', 'rejected', 'unknown', 'expired', 'cancelled', 'handedOn'])

/** Final outcomes are counted and never change. After a crash `unknown` may be opened again (onUnknown: resend). */
export const isFinal = (outcome: Outcome): boolean => FINAL.has(outcome)

/** Outcomes of a chunk in four bits each, two per byte, the even index in the low half. */
export function packOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(outcomes.length / 2))
  outcomes.forEach((outcome, index) => {
    bytes[index >> 1] = (bytes[index >> 1] ?? 0) | ((CODE.get(outcome) ?? 0) << ((index & 1) * 4))
  })
  return bytes
}

export function unpackOutcomes(bytes: Uint8Array, length: number): Outcome[] {
  return Array.from(
    { length },
    (_, index) => OUTCOMES[((bytes[index >> 1] ?? 0) >> ((index & 1) * 4)) & 15] ?? 'unsent',
  )
}

/** How many members have each outcome; absent = none. */
export function countOutcomes(outcomes: readonly Outcome[]): Partial<Record<Outcome, number>> {
  const counts: Partial<Record<Outcome, number>> = {}
  for (const outcome of outcomes) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}
