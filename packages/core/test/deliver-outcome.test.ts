import { describe, expect, it } from '@jest/globals'
import { batchIdOf, judge, openMembers, remainderOf } from '../src/ledger/judge.ts'
import { MAX_TRIES } from '../src/ledger/retry.ts'
import type { Chunk, Outcome } from '../src/nouns/chunk.ts'

const BACKOFF = { firstMs: 1000, maxMs: 60_000 }
const chunk = (outcomes: readonly Outcome[]): Chunk => {
  const members = outcomes.map((_, index) => ({ deviceId: String(index) }))
  const counters = { gen: 0, fence: 1, starts: 1, started: 0, tries: 0 }
  return {
    taskId: '1',
    seq: 2,
    appId: '3',
    lane: 'bulk',
    members,
    outcomes,
    reasons: {},
    state: 'sending',
    ...counters,
  }
}
const deferred = (index: number, more: Partial<Parameters<typeof remainderOf>[0][number]> = {}) => {
  return { index, reason: '503', afterMs: 0, counts: true, ...more }
}

describe('the members of a run', () => {
  it('are those never tried; deferred ones wait for a run of their own', () => {
    expect(openMembers(chunk(['sent', 'unsent', 'deferred', 'started', 'unknown']))).toEqual({
      indices: [1, 3],
      waiting: [2],
      retrying: false,
    })
    expect(openMembers(chunk(['sent', 'deferred', 'invalid', 'deferred']))).toEqual({
      indices: [1, 3],
      waiting: [],
      retrying: true,
    })
  })
})

describe('what remains', () => {
  it('waits for its backoff, with what the vendor asked for as the floor', () => {
    const own = remainderOf([deferred(4)], 0, BACKOFF)
    expect(own).toMatchObject({ writes: [[4, 'deferred', '503']], countTry: true })
    expect(own.afterMs).toBeGreaterThanOrEqual(750)
    expect(own.afterMs).toBeLessThanOrEqual(1250)
    expect(remainderOf([deferred(4), deferred(5, { afterMs: 30_000 })], 0, BACKOFF).afterMs).toBe(30_000)
  })

  it('is unknown with the last reason when its tries are used up', () => {
    const rest = remainderOf([deferred(4)], MAX_TRIES - 1, BACKOFF)
    expect(rest).toEqual({ writes: [[4, 'unknown', '503']], countTry: false })
  })

  it('counts no try the vendor had no part in', () => {
    const rest = remainderOf([deferred(4, { counts: false })], MAX_TRIES - 1, BACKOFF)
    expect(rest).toMatchObject({ writes: [[4, 'deferred', '503']], countTry: false })
    const both = remainderOf([deferred(4), deferred(5, { counts: false })], MAX_TRIES - 1, BACKOFF)
    expect(both.writes).toEqual([
      [4, 'unknown', '503'],
      [5, 'deferred', '503'],
    ])
  })
})

describe('judging a result', () => {
  it('makes an ambiguous one final only where the task says drop', () => {
    const result = { id: 'a', outcome: 'unknown', reason: 'reset' } as const
    expect(judge(1, result, 'drop')).toEqual({ write: [1, 'unknown', 'reset'] })
    expect(judge(1, result, 'resend')).toMatchObject({ again: { index: 1, counts: true } })
    expect(judge(1, undefined, 'drop')).toMatchObject({ write: [1, 'unknown', expect.any(String)] })
  })
})

it('names a batch by its members: the same for a repetition, another for a part of it', () => {
  const one = chunk(['unsent'])
  expect(batchIdOf(one, [1, 2, 3])).toBe(batchIdOf(one, [1, 2, 3]))
  expect(new Set([[1, 2, 3], [1, 2], [2, 3], [1, 3], [1]].map((indices) => batchIdOf(one, indices))).size).toBe(5)
})
