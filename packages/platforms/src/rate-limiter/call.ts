import type { PermitAsk } from '@fanfare/core'
import type { Account } from './account.ts'
import { LimiterConnection, type ScriptCall } from './connection.ts'
import type { Told } from './reports.ts'

/** What one call of the script does: books what is told, then serves the asks. */
export type Work = {
  of: Account
  /** Names the permits this call grants. */
  lease: string
  told: Told
  asks: readonly PermitAsk[]
  /** The vendor asked to slow down for so long. */
  slowMs?: number
  /** Nothing goes to the account for so long after the epoch began. */
  holdMs?: number
}
export type Settings = { prefix: string; leaseMs: number }

const KEYS_OF_ACCOUNT = ['', ':cooling', ':leases', ':singles', ':slots', ':begun', ':peers']
/** Whoever has not heard within this that an account moved has long ended what it asked for. */
const MOVED_MS = 10_000

/** The keys and arguments of script.ts for this work. */
export function callOf(work: Work, settings: Settings): ScriptCall {
  const { of, lease, told, asks } = work
  const { rate, perMs, timedAt } = of.limits
  const base = `${settings.prefix}:${of.key}`
  const now = performance.now()
  return {
    script: 'limit',
    keys: [`${settings.prefix}:epoch`, ...KEYS_OF_ACCOUNT.map((part) => base + part)],
    args: [
      ...[
        rate,
        perMs,
        settings.leaseMs,
        timedAt ?? 'answer',
        `${of.channelId}:${of.version}`,
        LimiterConnection.SERVER,
        lease,
      ],
      ...[work.slowMs ?? -1, work.holdMs ?? 0, told.answered.length, told.unused.length, asks.length],
      ...told.answered.flatMap((item) => [item.lease, item.units, Math.floor(now - item.at)]),
      ...told.unused.flatMap((item) => [item.lease, item.units]),
      ...asks.flatMap((ask) => [kindOf(ask), wholeUnits(ask.units), wholeUnits(ask.least)]),
    ],
  }
}

/** The keys and arguments of carry-script.ts. */
export function carryOf(carry: { from: string; to: string; moves: boolean }, { prefix }: Settings): ScriptCall {
  const keys = [carry.from, carry.to].flatMap((key) =>
    KEYS_OF_ACCOUNT.slice(0, 3).map((part) => `${prefix}:${key}${part}`),
  )
  return {
    script: 'carry',
    keys: [`${prefix}:epoch`, ...keys],
    args: [LimiterConnection.SERVER, carry.moves ? MOVED_MS : 0],
  }
}

const kindOf = ({ lane, begun }: PermitAsk): string => (lane !== 'bulk' ? 'single' : begun ? 'begun' : 'bulk')

const wholeUnits = (units: number): number => Math.max(1, Math.ceil(units))
