import { OUTCOMES, type Outcome } from '../nouns/chunk.ts'

/** Outcomes of a chunk as the ledger works with them: of each member the index in `OUTCOMES`. */
export type Codes = Uint8Array

export const CODE = Object.fromEntries(OUTCOMES.map((outcome, code) => [outcome, code])) as Record<Outcome, number>
const FINAL = new Set<Outcome>(['sent', 'invalid', 'rejected', 'unknown', 'expired', 'cancelled', 'handedOn'])
const FINAL_CODES = OUTCOMES.map((outcome) => FINAL.has(outcome))

/** Final outcomes are counted and never change. After a crash `unknown` may be opened again (onUnknown: resend). */
export const isFinal = (outcome: Outcome): boolean => FINAL.has(outcome)
export const isFinalCode = (code: number): boolean => FINAL_CODES[code] === true

export const toCodes = (outcomes: readonly Outcome[]): Codes => Uint8Array.from(outcomes, (outcome) => CODE[outcome])

export function toOutcomes(codes: Codes): Outcome[] {
  const outcomes: Outcome[] = new Array(codes.length)
  codes.forEach((code, index) => {
    outcomes[index] = OUTCOMES[code] ?? 'unsent'
  })
  return outcomes
}

/** Four bits each, two per byte, the even index in the low half. */
export function packOutcomes(codes: Codes): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(codes.length / 2))
  codes.forEach((code, index) => {
    bytes[index >> 1] = (bytes[index >> 1] ?? 0) | (code << ((index & 1) * 4))
  })
  return bytes
}

export function unpackOutcomes(bytes: Uint8Array, length: number): Codes {
  const codes = new Uint8Array(length)
  for (let index = 0; index < length; index++) codes[index] = ((bytes[index >> 1] ?? 0) >> ((index & 1) * 4)) & 15
  return codes
}

/** How many members have each outcome; absent = none. */
export function countOutcomes(codes: Codes): Partial<Record<Outcome, number>> {
  const counts = new Array<number>(OUTCOMES.length).fill(0)
  for (let index = 0; index < codes.length; index++) counts[codes[index] ?? 0] = (counts[codes[index] ?? 0] ?? 0) + 1
  const found = OUTCOMES.flatMap((outcome, code) => (counts[code] ? [[outcome, counts[code]] as const] : []))
  return Object.fromEntries(found)
}
