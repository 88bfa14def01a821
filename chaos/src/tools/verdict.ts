import { type Figures, type Options, progress, round } from '@fanfare/testkit'
import { type Account, account, drain } from './account.ts'
import { brokenInvariants } from './invariants.ts'
import type { Setup } from './setup.ts'

export type Extra = {
  duplicatesAllowed: number
  kills?: number
  /** What must be lost at least where a loss is expected; 1 by default. */
  leastLost?: number
} & Record<string, unknown>

/** Drains, accounts and judges a scenario of single pushes: what it prints, and whether its promise held. */
export async function verdict(
  setup: Setup,
  options: Options,
  accepted: ReadonlyMap<number, string>,
  extra: Extra,
): Promise<Figures> {
  const expectLoss = options['expect-loss'] === true
  const taskIds = [...accepted.values()]
  const unfinished = await drain(setup, taskIds)
  const result = await account(setup, accepted)
  result.broken.push(...(unfinished > 0 ? [`${unfinished} tasks have not ended`] : []))
  if (!expectLoss) result.broken.push(...(await brokenInvariants(setup, taskIds)))
  for (const sentence of result.broken.slice(0, 10)) progress(`BROKEN: ${sentence}`)
  const { broken, ...figures } = result
  const { leastLost = 1, ...printed } = extra
  return {
    ...figures,
    ...printed,
    broken: broken.length,
    seconds: round((performance.now() - setup.startedAt) / 1000),
    seed: setup.seed,
    store: setup.fleet.options.store ?? 'sqlite',
    held: expectLoss ? result.lost >= leastLost : held(result, setup.count, extra),
  }
}

const held = (result: Account, count: number, extra: Extra): boolean =>
  result.accepted === count &&
  result.lost === 0 &&
  result.counted === result.accepted &&
  result.duplicates <= extra.duplicatesAllowed &&
  result.broken.length === 0
