import type { AskAgain, Batch } from '@fanfare/core'
import { isAboutChannel, type Verdict } from './verdict.ts'

/** What was not sent again because no permit was to be had soon: the vendor did not see it, so it is no try. */
export const noPermit = (afterMs: number): Verdict => ({
  is: 'deferred',
  reason: 'not sent again: no permit yet',
  afterMs,
  free: true,
})

/** What is not sent because the vendor asked, in answer to another batch, to be left alone; undefined where it may go. */
export function resting({ restMs }: Pick<Batch, 'restMs'>): Verdict | undefined {
  const afterMs = restMs?.() ?? 0
  if (afterMs === 0) return undefined
  return { is: 'deferred', reason: 'not sent: the vendor asked to slow down', afterMs, free: true, halted: true }
}

export const notSentFor = (verdict: Verdict): Verdict => ({
  is: 'deferred',
  reason: `not sent: ${verdict.reason}`,
  free: true,
  halted: true,
})

/**
 * Sends members again, as many at once as a permit is got for. Those that get none come again later, and so do all that
 * are left once the vendor refused the channel. Verdicts in the order of `indices`.
 */
export async function sendAgain(
  ask: AskAgain | undefined,
  indices: readonly number[],
  send: (some: readonly number[]) => Promise<readonly Verdict[]>,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  while (verdicts.length < indices.length) {
    const rest = indices.slice(verdicts.length)
    const leave = ask ? await ask(rest.length) : { members: rest.length }
    if ('afterMs' in leave) return [...verdicts, ...rest.map(() => noPermit(leave.afterMs))]
    const some = await send(rest.slice(0, leave.members))
    verdicts.push(...some)
    const about = some.find(({ is, scope }) => isAboutChannel(is) && scope !== 'member')
    if (about) return [...verdicts, ...indices.slice(verdicts.length).map(() => notSentFor(about))]
  }
  return verdicts
}
