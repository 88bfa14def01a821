import { describe, expect, it } from '@jest/globals'
import { backoffMs, Ids, isId, RETRY } from '../src/index.ts'

describe('Ids', () => {
  it('are rising and unique over concurrent callers, one block per thousand', async () => {
    let taken = 0
    const ids = new Ids(async (count) => {
      const first = 5_000_000 + taken * count
      taken++
      return first
    })
    const all = await Promise.all(Array.from({ length: 2500 }, () => ids.next()))
    expect(new Set(all).size).toBe(2500)
    expect(all.map(Number)).toEqual(all.map(Number).sort((a, b) => a - b))
    expect(taken).toBe(3)
  })

  it('come back after the store failed once', async () => {
    let calls = 0
    const ids = new Ids(async () => {
      if (calls++ === 0) throw new Error('down')
      return 1
    })
    await expect(ids.next()).rejects.toThrow('down')
    expect(await ids.next()).toBe('1')
  })
})

describe('isId', () => {
  it.each(['1', '9007199254740991'])('%s is an id', (text) => expect(isId(text)).toBe(true))
  it.each(['', '0', '01', '-1', '1.0', '1e3', '9007199254740992', '99999999999999999', ' 1', '１'])(
    '%j is none',
    (text) => expect(isId(text)).toBe(false),
  )
})

describe('backoffMs', () => {
  it('doubles, spreads by a quarter, and stops at the maximum', () => {
    expect([0, 1, 2].map((tries) => backoffMs(tries, RETRY, 0.5))).toEqual([10_000, 20_000, 40_000])
    expect(backoffMs(0, RETRY, 0)).toBe(7500)
    expect(backoffMs(0, RETRY, 1)).toBe(12_500)
    expect(backoffMs(99, RETRY, 0.5)).toBe(RETRY.maxMs)
  })
})
