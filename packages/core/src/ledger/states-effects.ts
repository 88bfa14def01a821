import type { ChunkState, Outcome } from '../nouns/chunk.ts'
import { REASONS_PER_CHUNK, reasonBeside } from '../nouns/reasons.ts'
import type { NewChunk } from '../ports/store/tasks.ts'
import { CODE, type Codes, isFinalCode } from './outcomes.ts'
import { SENTENCES } from './sentences.ts'
import type { Given, LedgerRow } from './states-guards.ts'

/** Changes a copy of its own of the row; lists of members are replaced, never changed. */
export type Effect = (next: LedgerRow, given: Given) => void

/** What an event does to the fields alone, so that a store may do it to many rows in one statement. */
export type Moves = {
  state: ChunkState
  raises: readonly ('gen' | 'fence' | 'starts')[]
  /** `lease`: from now on for as long as the lease given. */
  sets: Partial<Record<'leaseUntil' | 'nextAt' | 'dueAt', 'now' | 'lease' | 'none'>>
}

export const moving =
  ({ state, raises, sets }: Moves): Effect =>
  (next, { now, leaseMs = 0 }) => {
    const instants = { now, lease: now + leaseMs, none: null }
    next.state = state
    for (const field of raises) next[field]++
    for (const field of ['leaseUntil', 'nextAt', 'dueAt'] as const) {
      const value = sets[field]
      if (value !== undefined) next[field] = instants[value]
    }
  }

/** When the sweeper is to look at a chunk: planned since now, deferred until then, else when its lease has passed. */
export function dueAtOf(row: Pick<LedgerRow, 'state' | 'leaseUntil' | 'nextAt'>, now: number): number | null {
  if (row.state === 'planned') return now
  if (row.state === 'queued') return row.nextAt ?? row.leaseUntil ?? now
  return row.state === 'sending' ? (row.leaseUntil ?? now) : null
}

/** A chunk as it is first written: without a channel it is final, else in `state` unless it says otherwise. */
export function created(
  chunk: Omit<NewChunk, 'seq' | 'members'>,
  { now, state }: { now: number; state: 'planned' | 'waiting' },
): Omit<LedgerRow, 'lane' | 'outcomes' | 'reasons'> {
  const row = {
    state: chunk.state ?? (chunk.channelId ? state : 'done'),
    gen: 0,
    fence: chunk.fence ?? 0,
    starts: chunk.starts ?? 0,
    started: chunk.started ?? 0,
    tries: 0,
    leaseUntil: chunk.leaseMs === undefined ? null : now + chunk.leaseMs,
    nextAt: null,
    dueAt: null as number | null,
  }
  row.dueAt = dueAtOf(row, now)
  return row
}

/**
 * The start of a chunk that was just claimed. `wasStarted` is how far the claimer before had come: members below it may
 * have reached the vendor. Of tasks with `onUnknown: drop` they become `unknown` and stay so; with `resend` they are
 * simply still open. A chunk that has no open member left is done.
 */
export function begin(next: LedgerRow, wasStarted: number, { task, firstWindow = 0 }: Given): void {
  if (wasStarted > 0 && task?.onUnknown === 'drop') next.outcomes = withUnknown(next.outcomes, wasStarted)
  next.started = endOfWindow(next.outcomes, firstWindow)
  if (next.outcomes.length > 0 && next.outcomes.every(isFinalCode)) finish(next)
}

const withUnknown = (codes: Codes, below: number): Codes =>
  codes.map((code, index) => (index < below && (code === CODE.unsent || code === CODE.started) ? CODE.unknown : code))

/** The index behind the first `size` members that are still to be sent. */
function endOfWindow(codes: Codes, size: number): number {
  let left = size
  const end = codes.findIndex((code) => !isFinalCode(code) && left-- === 0)
  return end < 0 ? codes.length : end
}

function finish(next: LedgerRow): void {
  next.state = 'done'
  next.leaseUntil = null
  next.nextAt = null
  next.dueAt = null
}

/** What became of members, and the next window with its lease. */
export const record: Effect = (next, given) => {
  const { started = 0, leaseMs, countTry = false } = given.write ?? {}
  putOutcomes(next, given)
  next.state = 'sending'
  next.started = Math.max(next.started, Math.min(started, next.outcomes.length))
  if (leaseMs !== undefined) next.leaseUntil = given.now + leaseMs
  next.dueAt = next.leaseUntil
  if (countTry) next.tries++
}

/** The start ends cleanly: all that was sent is recorded, so nothing below `started` is in doubt. */
export const release: Effect = (next, given) => {
  record(next, given)
  next.state = 'queued'
  next.starts = 0
  next.started = 0
  next.leaseUntil = null
  next.nextAt = given.write?.nextAt?.getTime() ?? null
  next.dueAt = dueAtOf(next, given.now)
}

/** A member that its sender leaves open in a chunk it ends is `unknown`: left open, it would never be counted. */
export const close: Effect = (next, given) => {
  record(next, given)
  endOpen(next, { outcome: 'unknown', reason: SENTENCES.noResult })
  finish(next)
}

/**
 * The task is over: what was not handed to the vendor is cancelled, what is in flight may still be recorded, unless the
 * sender gives the chunk back.
 */
export const stop: Effect = (next, given) => {
  putOutcomes(next, given)
  const inFlight = given.write?.state === undefined ? next.started : 0
  const open = [...next.outcomes.keys()].filter((index) => {
    const code = next.outcomes[index] ?? 0
    return !isFinalCode(code) && (index >= inFlight || code === CODE.deferred)
  })
  putOutcomes(next, { ...given, write: { fence: next.fence, outcomes: open.map((index) => [index, 'cancelled']) } })
  if (next.outcomes.every(isFinalCode)) finish(next)
}

/** What becomes of the open members of a chunk that ends, and of the chunk. */
export type Ending = { outcome: Outcome; reason?: string; state?: 'done' | 'dead' }

export const ending =
  ({ state = 'done', ...open }: Ending): Effect =>
  (next) => {
    endOpen(next, open)
    finish(next)
    next.state = state
  }

/** A final outcome stays. A reason belongs to the outcome it came with. */
function putOutcomes(next: LedgerRow, { write }: Given): void {
  const given = write?.outcomes ?? []
  if (given.length === 0) return
  const codes = next.outcomes.slice()
  const reasons = next.reasons.size > 0 || given.some(hasReason) ? copyOf(next.reasons) : undefined
  for (const [index, outcome, reason] of given) {
    const before = codes[index]
    if (before === undefined || isFinalCode(before)) continue
    codes[index] = CODE[outcome]
    if (reasons) putReason(reasons, index, reason)
  }
  next.outcomes = codes
  if (reasons) next.reasons = bounded(reasons)
}

const hasReason = ([, , reason]: readonly [number, Outcome, string?]): boolean => reason !== undefined

/** A reason that a member has already stays where the end has none: why it was not sent by then. */
function endOpen(next: LedgerRow, { outcome, reason }: Ending): void {
  if (next.outcomes.every(isFinalCode)) return
  const open = next.outcomes
  next.outcomes = open.map((code) => (isFinalCode(code) ? code : CODE[outcome]))
  if (reason === undefined) return
  const reasons = copyOf(next.reasons)
  open.forEach((code, index) => {
    if (!isFinalCode(code)) putReason(reasons, index, reason)
  })
  next.reasons = bounded(reasons)
}

type OwnReasons = Map<string, number[]>

const copyOf = (reasons: LedgerRow['reasons']): OwnReasons =>
  new Map(Array.from(reasons, ([reason, members]) => [reason, [...members]]))

function putReason(reasons: OwnReasons, index: number, reason: string | undefined): void {
  for (const [before, members] of reasons) {
    const position = members.indexOf(index)
    if (position < 0) continue
    if (members.length === 1) reasons.delete(before)
    else members.splice(position, 1)
  }
  if (reason !== undefined) addReason(reasons, reason, index)
}

function addReason(reasons: OwnReasons, reason: string, ...members: readonly number[]): void {
  const known = reasons.get(reason)
  if (known) known.push(...members)
  else reasons.set(reason, [...members])
}

/** No more different reasons than a chunk may have. */
function bounded(reasons: OwnReasons): OwnReasons {
  if (reasons.size <= REASONS_PER_CHUNK) return reasons
  const kept: OwnReasons = new Map()
  for (const [reason, members] of reasons) addReason(kept, reasonBeside(kept, reason), ...members)
  return kept
}
