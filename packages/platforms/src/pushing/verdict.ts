import { type BatchMember, BusyError, ChannelError, type PlatformName, type PushResult } from '@fanfare/core'

/**
 * One classification over all vendors (docs/vendors.md §0). Every answer of a vendor is one of these:
 *
 * | class | is | for the member | for the channel |
 * |---|---|---|---|
 * | `sent` | accepted | final | – |
 * | `invalid` | the token is dead | final, token removed | – |
 * | `invalidGated` | the token looks dead, but a wrong project answers alike | final, removed only behind the gate | – |
 * | `rejected` | this message is refused for good | final, token kept | – |
 * | `deferred` | not sent, try later | sent again | – |
 * | `unknown` | no valid answer after the request was written | by `onUnknown` | – |
 * | `busy` | slow down (429, QPS) | sent again, the try is not counted | slows down |
 * | `quotaDay` | the daily quota is used up | sent again | stops until the vendor's next day |
 * | `refresh` | the access token expired | sent again at once with a new one, then `channel` | – |
 * | `channel` | credentials or configuration are wrong | sent again | the breaker counts it |
 */
export type VerdictClass =
  | 'sent'
  | 'invalid'
  | 'invalidGated'
  | 'rejected'
  | 'deferred'
  | 'unknown'
  | 'busy'
  | 'quotaDay'
  | 'refresh'
  | 'channel'

/** One thing a vendor may answer. */
export type VerdictRow = {
  /** The answer as a person would describe it: status, code, reason. */
  when: string
  outcome: VerdictClass
  note?: string
  /** The keys by which the pusher finds the row; what a key is, is up to the vendor's `verdicts.ts`. */
  codes?: readonly string[]
  /** For `deferred` and `busy`: how long to wait at least where the vendor sends no Retry-After. */
  afterMs?: number
  /** `member`: a `channel` or `busy` that says nothing about the other members of the batch. */
  scope?: 'member'
}

/** All that one vendor may answer, beside the page that says so. Rendered into docs/platforms.md. */
export type VerdictTable = { link: string; rows: readonly VerdictRow[] }

/** What was found out about one member; `settle` makes it a PushResult. */
export type Verdict = {
  is: VerdictClass
  reason: string
  afterMs?: number
  since?: Date
  reply?: unknown
  /** The vendor did not process it: the try is not counted. */
  free?: boolean
  /** It says nothing about the other members of the batch (VerdictRow). */
  scope?: 'member'
  /** Not tried because of another member's verdict. */
  halted?: true
}

/** Verdict tables by platform; each vendor's folder adds its own (registry.ts). */
export type Verdicts = Readonly<Partial<Record<PlatformName, VerdictTable>>>

/** What stands in every table's place when none of its rows fits (docs/vendors.md §0). */
export const DEFAULT_ROWS: readonly VerdictRow[] = [
  {
    when: 'connection refused, not resolved, TLS failure',
    outcome: 'deferred',
    note: 'never written, try not counted',
  },
  { when: 'time-out or reset after the request was written', outcome: 'unknown', note: 'by onUnknown' },
  { when: 'HTTP 429', outcome: 'busy', note: 'Retry-After is the floor' },
  { when: 'HTTP 408, 5xx', outcome: 'deferred', note: 'Retry-After is the floor' },
  { when: 'HTTP 401, 403', outcome: 'channel' },
  { when: 'HTTP 200 with an unreadable body', outcome: 'unknown' },
  { when: 'any other status', outcome: 'rejected' },
]

/** The class of a status that no row of the vendor's table names. A 2xx that gets here had an unreadable body. */
export function classOfStatus(status: number): VerdictClass {
  if (status >= 200 && status < 300) return 'unknown'
  if (status === 429) return 'busy'
  if (status === 408 || status >= 500) return 'deferred'
  if (status === 401 || status === 403) return 'channel'
  return 'rejected'
}

/** Rows by each of their codes. A code that stands twice is a mistake in the table. */
export function rowsByCode(table: VerdictTable): ReadonlyMap<string, VerdictRow> {
  const rows = new Map<string, VerdictRow>()
  for (const row of table.rows) {
    for (const code of row.codes ?? []) {
      if (rows.has(code)) throw new Error(`verdict table ${table.link}: code ${code} stands twice`)
      rows.set(code, row)
    }
  }
  return rows
}

/** The verdict of a row; `reason` is what the vendor said, `afterMs` its Retry-After. */
export function verdictOf(row: VerdictRow, reason: string, afterMs?: number): Verdict {
  const wait = afterMs ?? row.afterMs
  const verdict: Verdict = { is: row.outcome, reason }
  if (wait !== undefined) verdict.afterMs = wait
  if (row.scope) verdict.scope = row.scope
  return verdict
}

/** The result of one member. What concerns the channel becomes `deferred` here: other members got an answer. */
export function resultOf(id: string, verdict: Verdict): PushResult {
  const reply = verdict.reply === undefined ? undefined : { reply: verdict.reply }
  const { reason } = verdict
  switch (verdict.is) {
    case 'sent':
      return reply ? { id, ...reply, outcome: 'sent' } : { id, outcome: 'sent' }
    case 'invalid':
    case 'invalidGated': {
      const gated = verdict.is === 'invalidGated' ? { gated: true } : undefined
      const since = verdict.since ? { since: verdict.since } : undefined
      return { id, ...reply, outcome: 'invalid', reason, ...since, ...gated }
    }
    case 'rejected':
    case 'unknown':
      return { id, ...reply, outcome: verdict.is, reason }
    case 'deferred':
    case 'busy':
    case 'quotaDay':
    case 'refresh':
    case 'channel':
      return { id, ...reply, outcome: 'deferred', reason, ...retryOf(verdict) }
  }
}

/**
 * One result per member, in order. Rejects where nothing is known of any: ChannelError when a member met a credential
 * error, BusyError when the vendor asked to slow down; members not tried because of it count as not known.
 */
export function settle(members: readonly BatchMember[], verdicts: readonly Verdict[]): PushResult[] {
  throwIfNothingKnown(verdicts)
  return members.map((member, index) => {
    const verdict = verdicts[index]
    if (!verdict) throw new Error(`the pusher has no verdict for member ${index} of ${members.length}`)
    return resultOf(member.id, verdict)
  })
}

/** Verdicts that concern the channel and say nothing of the member. */
export const isAboutChannel = (is: VerdictClass): boolean =>
  is === 'channel' || is === 'refresh' || is === 'busy' || is === 'quotaDay'

function retryOf({ is, afterMs, free }: Verdict): { afterMs?: number; free?: boolean; busy?: boolean } {
  return {
    ...(afterMs === undefined ? {} : { afterMs }),
    ...(free || isAboutChannel(is) ? { free: true } : {}),
    ...(is === 'busy' || is === 'quotaDay' ? { busy: true } : {}),
  }
}

function throwIfNothingKnown(verdicts: readonly Verdict[]): void {
  let about: Verdict | undefined
  for (const verdict of verdicts) {
    if (isAboutChannel(verdict.is)) about = graver(about, verdict)
    else if (!(verdict.is === 'deferred' && verdict.free)) return
  }
  if (!about) return
  if (about.is === 'channel' || about.is === 'refresh') throw new ChannelError(about.reason)
  const after = about.afterMs === undefined ? undefined : { afterMs: about.afterMs }
  throw new BusyError(about.reason, { ...after, quotaDay: about.is === 'quotaDay' })
}

const GRAVITY: Partial<Record<VerdictClass, number>> = { channel: 4, refresh: 3, quotaDay: 2, busy: 1 }

function graver(one: Verdict | undefined, other: Verdict): Verdict {
  if (!one) return other
  const difference = (GRAVITY[other.is] ?? 0) - (GRAVITY[one.is] ?? 0)
  if (difference !== 0) return difference > 0 ? other : one
  return (other.afterMs ?? 0) > (one.afterMs ?? 0) ? other : one
}
