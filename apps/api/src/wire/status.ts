import { type NowResult, type Outcome, SENTENCES } from '@fanfare/core'

export type PushStatus = 'SUCCESS' | 'ASYNC_SUCCESS' | 'FAIL' | 'ERROR' | 'PENDING'

/** Outcome → status in task results (docs/glossary.md); what is not final is PENDING, `handedOn` is not counted. */
const STATUS: Readonly<Record<Outcome, PushStatus | undefined>> = {
  unsent: 'PENDING',
  started: 'PENDING',
  deferred: 'PENDING',
  sent: 'ASYNC_SUCCESS',
  invalid: 'FAIL',
  rejected: 'FAIL',
  cancelled: 'FAIL',
  unknown: 'ERROR',
  expired: 'ERROR',
  handedOn: undefined,
}
export const statusOf = (outcome: Outcome): PushStatus | undefined => STATUS[outcome]

export const outcomesOf = (status: PushStatus): ReadonlySet<Outcome> =>
  new Set((Object.keys(STATUS) as Outcome[]).filter((outcome) => STATUS[outcome] === status))

/** A reason of the ledger as callers read it. The first version kept the wire's own words. */
export const wireReason = (reason: string): string => (reason === SENTENCES.noUser ? 'appUser not exists' : reason)

/** Why a member failed, in the words of docs/wire-api.md §1.4 and §6.3. */
export function descOf(outcome: Outcome, reason: string | undefined): string | undefined {
  if (outcome === 'invalid') return reason && reason !== BAD_TOKEN ? `${BAD_TOKEN}: ${reason}` : BAD_TOKEN
  if (outcome === 'sent') return undefined
  return reason === undefined ? DEFAULT_DESC[outcome] : wireReason(reason)
}
const BAD_TOKEN = 'bad device token'
const DEFAULT_DESC: Partial<Record<Outcome, string>> = { expired: 'expire message', cancelled: 'cancelled' }

export type SyncItem = { id?: string; pushStatus: PushStatus; data?: unknown; desc?: string }

/** One element of a synchronous answer: `desc` is absent on success, `data` on failure (docs/wire-api.md §1.5). */
export function syncItem(result: NowResult, id?: string): SyncItem {
  const head = id === undefined ? {} : { id }
  if (result.outcome === 'sent') return { ...head, pushStatus: 'SUCCESS', data: result.reply ?? {} }
  const pushStatus = statusOf(result.outcome) === 'FAIL' ? 'FAIL' : 'ERROR'
  const desc = result.outcome === 'invalid' ? BAD_TOKEN : wireReason(result.reason ?? 'unknown')
  return { ...head, pushStatus, desc }
}
