import { round } from '@fanfare/testkit'
import type { Ground } from './ground.ts'
import type { KindFigures, Victim } from './victim.ts'
import { KINDS, type Kind } from './victim-load.ts'

/** What the victim saw of one attack. The two p99s are those of the kind of push that was hurt most. */
export type AttackFigures = {
  name: string
  victimMsP99Before: number
  victimMsP99During: number
  lost: number
  refused: number
  duplicates: number
  kind: Kind
  before: KindFigures
  during: KindFigures
  /** How the attacker was answered, by status. */
  attacker: Record<string, number>
  /** What else was harmed. */
  harm?: string
  error?: string
}

/** An attack may slow the victim down by so much: three times, or what nobody notices. */
const RATIO = 3
const UNNOTICED_MS = 300

export async function figuresOf(name: string, victim: Victim, ground: Ground): Promise<AttackFigures> {
  const before = await victim.figures('before')
  const during = await victim.figures('during')
  const { lost, refused, duplicates } = await victim.account()
  const kind = worst(before, during)
  return {
    ...{ name, victimMsP99Before: before[kind], victimMsP99During: during[kind] },
    ...{ lost, refused, duplicates, kind, before, during },
    attacker: ground.answers(),
  }
}

/** The kind that is furthest over what it may be, or nearest to it. */
function worst(before: KindFigures, during: KindFigures): Kind {
  const share = (kind: Kind) => during[kind] / Math.max(UNNOTICED_MS, RATIO * before[kind])
  return KINDS.reduce((most, kind) => (share(kind) > share(most) ? kind : most))
}

const NOTHING: KindFigures = { single: 0, sync: 0, list: 0, broadcast: 0 }

/** Of an attack that could not be carried out: a failure, whatever the victim saw. */
export function failedFigures(name: string, error: unknown): AttackFigures {
  return {
    ...{ name, victimMsP99Before: 0, victimMsP99During: 0, lost: 0, refused: 0, duplicates: 0 },
    ...{ kind: 'single', before: NOTHING, during: NOTHING, attacker: {} },
    error: String(error),
  }
}

const slow = ({ victimMsP99Before, victimMsP99During }: AttackFigures): boolean =>
  victimMsP99During > Math.max(UNNOTICED_MS, RATIO * victimMsP99Before)

/** What of the promise did not hold; empty where all did. */
export function broken(figures: AttackFigures): string[] {
  const { victimMsP99Before: before, victimMsP99During: during, kind, lost, refused, duplicates, harm, error } = figures
  return [
    ...(error === undefined ? [] : [error]),
    ...(slow(figures) ? [`${kind} ${during} ms, before ${before} ms`] : []),
    ...(lost > 0 ? [`${lost} lost`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(duplicates > 0 ? [`${duplicates} sent twice`] : []),
    ...(harm === undefined ? [] : [harm]),
  ]
}

/** Whether nothing but the victim's times was hurt. */
export const onlySlow = (figures: AttackFigures): boolean => slow(figures) && broken(figures).length === 1

export function totals(attacks: readonly AttackFigures[]) {
  const sum = (of: (figures: AttackFigures) => number) => attacks.reduce((all, each) => all + of(each), 0)
  const ratios = attacks.map((each) => each.victimMsP99During / Math.max(1, each.victimMsP99Before))
  return {
    lost: sum(({ lost }) => lost),
    refused: sum(({ refused }) => refused),
    duplicates: sum(({ duplicates }) => duplicates),
    worstRatio: round(Math.max(0, ...ratios), 2),
    worstMs: Math.max(0, ...attacks.map(({ victimMsP99During }) => victimMsP99During)),
    failed: attacks.filter((each) => broken(each).length > 0).length,
  }
}
