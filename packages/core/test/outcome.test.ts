import { describe, expect, it } from '@jest/globals'
import { countOutcomes, isFinal, OUTCOMES, packOutcomes, toCodes, toOutcomes, unpackOutcomes } from '../src/index.ts'

describe('outcomes in four bits', () => {
  it.each([0, 1, 2, 9, 10, 999, 1000])('%i members survive packing', (length) => {
    const outcomes = Array.from({ length }, (_, index) => OUTCOMES[index % OUTCOMES.length] ?? 'unsent')
    const packed = packOutcomes(toCodes(outcomes))
    expect(packed.byteLength).toBe(Math.ceil(length / 2))
    expect(toOutcomes(unpackOutcomes(packed, length))).toEqual(outcomes)
  })

  it('fits four bits', () => expect(OUTCOMES.length).toBeLessThanOrEqual(16))

  it('counts what is there', () => {
    expect(countOutcomes(toCodes(['sent', 'invalid', 'sent']))).toEqual({ sent: 2, invalid: 1 })
  })

  it('knows what may still change', () => {
    expect(OUTCOMES.filter((outcome) => !isFinal(outcome))).toEqual(['unsent', 'started', 'deferred'])
  })
})
