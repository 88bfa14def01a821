import { median, round } from '@fanfare/testkit'

/** What is compared where a scenario prints it, and whether more of it is better. */
const FIGURES: Readonly<Record<string, 'more' | 'less'>> = {
  cpuSecPer100k: 'less',
  acceptedPerSec: 'more',
  deliveredPerSec: 'more',
  devicesPerSec: 'more',
  ratio: 'more',
  usedRatio: 'more',
  windowsOver: 'less',
  idleMsP99: 'less',
  duringMsP99: 'less',
  ownAppMsP99: 'less',
  otherAppMsP99: 'less',
  otherPlatformMsP99: 'less',
  rssMbPeak: 'less',
}

export type Rounds = { base: readonly Figures[]; now: readonly Figures[] }
type Figures = Readonly<Record<string, unknown>>

export type Compared = {
  figure: string
  base: number
  now: number
  /** The distance of the largest from the smallest round, in per cent of the median. */
  baseSpreadPercent: number
  nowSpreadPercent: number
  /** now ÷ base */
  quotient: number
  /** How much worse it is now; below 0 where it is better. */
  lossPercent: number
  /** The loss is allowed, or smaller than the spread of the base's own rounds. */
  held: boolean
}

/** Medians, spreads and quotients of every figure that all rounds of both sides have. */
export function compare({ base, now }: Rounds, allowedPercent: number): Compared[] {
  return Object.entries(FIGURES).flatMap(([figure, better]) => {
    const before = numbers(base, figure)
    const after = numbers(now, figure)
    if (!before || !after) return []
    return [compared({ figure, before, after, worse: better === 'more' ? -1 : 1 }, allowedPercent)]
  })
}

type Pair = { figure: string; before: readonly number[]; after: readonly number[]; worse: 1 | -1 }

function compared({ figure, before, after, worse }: Pair, allowedPercent: number): Compared {
  const [was, is] = [median(before), median(after)]
  const lossPercent = round(was === 0 ? 100 * Math.sign(is * worse) : ((is - was) / was) * 100 * worse, 2)
  const baseSpreadPercent = spread(before)
  return {
    figure,
    base: was,
    now: is,
    baseSpreadPercent,
    nowSpreadPercent: spread(after),
    quotient: round(was === 0 ? 1 : is / was, 4),
    lossPercent,
    held: lossPercent <= Math.max(allowedPercent, baseSpreadPercent),
  }
}

function numbers(rounds: readonly Figures[], figure: string): number[] | undefined {
  const found = rounds.map((each) => each[figure]).filter((value) => typeof value === 'number')
  return found.length === rounds.length && found.length > 0 ? found : undefined
}

function spread(values: readonly number[]): number {
  const middle = median(values)
  return middle === 0 ? 0 : round(((Math.max(...values) - Math.min(...values)) / middle) * 100, 2)
}
