import { type Figures, numberOf, type Options, progress, type Scenario } from '@fanfare/testkit'
import { builtCommit, commitOf, figuresOf, thisCommit } from './commit.ts'
import { type Compared, compare as compareRounds, type Rounds } from './judge.ts'

const LEAST_ROUNDS = 5

/**
 * Other scenarios on an older commit and on this checkout, in turn, so that a noisy minute meets both: `--base REF
 * single 'broadcast --platform fcm'`. Exits with 1 where a figure lost more than is allowed and more than the base's
 * own rounds differ.
 */
export const compare: Scenario = {
  options: {
    base: { type: 'string' },
    rounds: { type: 'string', default: String(LEAST_ROUNDS) },
    /** The loss that is allowed in any case. */
    percent: { type: 'string', default: '3' },
  },
  positionals: true,
  run,
}

type Order = { base: string; rounds: number; allowedPercent: number }

async function run(options: Options, scenarios: readonly string[]): Promise<Figures> {
  if (typeof options['base'] !== 'string') throw new Error('--base is missing: the commit to compare with')
  if (scenarios.length === 0) throw new Error("no scenario is named: single 'broadcast --platform fcm' …")
  const commit = await commitOf(options['base'])
  const rounds = Math.max(LEAST_ROUNDS, numberOf(options, 'rounds'))
  const order = { base: await builtCommit(commit), rounds, allowedPercent: numberOf(options, 'percent') }
  const results: ({ run: string } & Compared)[] = []
  for (const scenario of scenarios) results.push(...(await compareOne(order, scenario)))
  const lost = results.filter(({ held }) => !held)
  return { base: commit, rounds, results, failed: lost.length, held: lost.length === 0 }
}

async function compareOne(order: Order, scenario: string): Promise<({ run: string } & Compared)[]> {
  const words = scenario.split(/\s+/).filter((word) => word !== '')
  const measured: { base: Record<string, unknown>[]; now: Record<string, unknown>[] } = { base: [], now: [] }
  for (let round = 0; round < order.rounds; round++) {
    // Each goes first as often as the other: the first of a pair meets what the pair before left behind.
    for (const side of round % 2 === 0 ? (['base', 'now'] as const) : (['now', 'base'] as const)) {
      measured[side].push(await figuresOf(side === 'base' ? order.base : thisCommit(), words))
      progress(`${scenario}, round ${round + 1}, ${side}: ${JSON.stringify(measured[side].at(-1))}`)
    }
  }
  return tell(scenario, measured, order.allowedPercent)
}

function tell(scenario: string, rounds: Rounds, allowedPercent: number): ({ run: string } & Compared)[] {
  const compared = compareRounds(rounds, allowedPercent)
  for (const { figure, base, now, lossPercent, baseSpreadPercent, held } of compared) {
    const line = `${scenario} ${figure}: ${base} → ${now}, loss ${lossPercent} %, the base's spread ${baseSpreadPercent} %`
    progress(held ? line : `${line} – TOO MUCH`)
  }
  return compared.map((each) => ({ run: scenario, ...each }))
}
