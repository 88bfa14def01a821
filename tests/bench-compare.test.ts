import { describe, expect, it } from '@jest/globals'
import { commitOf } from '../bench/src/compare/commit.ts'
import { compare } from '../bench/src/compare/judge.ts'

const rounds = (figure: string, values: readonly number[]) => values.map((value) => ({ [figure]: value, lost: 0 }))
const judged = (figure: string, base: readonly number[], now: readonly number[]) =>
  compare({ base: rounds(figure, base), now: rounds(figure, now) }, 3)

describe('bench compare', () => {
  it('prints medians, spreads and quotients', () => {
    expect(judged('deliveredPerSec', [980, 1000, 1010], [990, 1100, 1110])).toEqual([
      {
        figure: 'deliveredPerSec',
        base: 1000,
        now: 1100,
        baseSpreadPercent: 3,
        nowSpreadPercent: 10.91,
        quotient: 1.1,
        lossPercent: -10,
        held: true,
      },
    ])
  })

  it('refuses a loss above what is allowed and above the spread of the base', () => {
    expect(judged('cpuSecPer100k', [20, 20, 20.2], [21, 21, 21])[0]).toMatchObject({ lossPercent: 5, held: false })
    expect(judged('usedRatio', [0.98, 0.98, 0.98], [0.93, 0.93, 0.93])[0]).toMatchObject({ held: false })
  })

  it('allows a small loss, and one within what the rounds of the base differ by', () => {
    expect(judged('cpuSecPer100k', [20, 20, 20], [20.6, 20.6, 20.6])[0]).toMatchObject({ lossPercent: 3, held: true })
    expect(judged('duringMsP99', [90, 100, 130], [130, 130, 130])[0]).toMatchObject({ lossPercent: 30, held: true })
  })

  it('calls every window over the limit a loss where the base had none', () => {
    expect(judged('windowsOver', [0, 0, 0], [1, 1, 1])[0]).toMatchObject({ held: false })
  })

  it('compares only what every round of both sides has', () => {
    expect(compare({ base: [{ usedRatio: 1 }], now: [{ devicesPerSec: 5 }] }, 3)).toEqual([])
  })

  it('says so where the base is no commit', async () => {
    await expect(commitOf('no-such-ref')).rejects.toThrow('--base no-such-ref: git knows no such commit')
  })
})
