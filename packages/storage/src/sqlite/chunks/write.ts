import type { ChunkWrite } from '@fanfare/core'
import type { Db, Row } from '../db.ts'
import { toKey } from '../db.ts'
import { stateCode } from '../tasks/rows.ts'
import { runRows, valuesSql } from '../values.ts'
import {
  addReason,
  boundedReasons,
  countsOf,
  DONE,
  digitOf,
  isAllFinal,
  isFinalDigit,
  type PackedDigits,
  packed,
  QUEUED,
  type Reasons,
  reasonsText,
  SENDING,
  toReasons,
  unpacked,
} from './rows.ts'

/** A chunk between reading and writing; `digits` are its outcomes, one character each. */
type Draft = {
  task: number
  seq: number
  fence: number
  state: number
  started: number
  starts: number
  tries: number
  leaseUntil: number | null
  nextAt: number | null
  digits: string[]
  reasons: Reasons | undefined
  cancelled: boolean
}
type DraftRow = [
  task: number,
  seq: number,
  fence: number,
  state: number,
  started: number,
  starts: number,
  tries: number,
  leaseUntil: number | null,
  nextAt: number | null,
  outcomes: PackedDigits,
  reasons: string | null,
  taskState: number,
]

const READ = `
  select json_group_array(json_array(c.task, c.seq, c.fence, c.state, c.started, c.starts, c.tries, c.lease_until,
    c.next_at, c.outcomes, c.reasons, t.state))
  from json_each(?) j cross join chunks c on c.task = j.value ->> 0 and c.seq = j.value ->> 1
  cross join tasks t on t.id = c.task
  where c.state in (2, 3)`
const WRITE = valuesSql(
  12,
  (values) => `
  update chunks set state = column3, started = column4, starts = column5, tries = column6, lease_until = column7,
    next_at = column8, due_at = column9, counts = column10, outcomes = column11, reasons = column12
  from (${values}) where task = column1 and seq = column2`,
)

/** All writes in one transaction, each for itself: those of zombies are left out. */
export async function write(db: Db, writes: readonly ChunkWrite[]): Promise<boolean[]> {
  if (writes.length === 0) return []
  const asked = JSON.stringify(writes.map(({ taskId, seq }) => [toKey(taskId), seq]))
  return db.write(() => {
    const now = db.now()
    const drafts = new Map<string, Draft>()
    for (const row of db.json<DraftRow[]>(READ, [asked])) drafts.set(`${row[0]}.${row[1]}`, toDraft(row))
    const changed = new Set<Draft>()
    const answers = writes.map((item) => {
      const draft = drafts.get(`${toKey(item.taskId)}.${item.seq}`)
      if (!draft || draft.fence !== item.fence || draft.state === DONE) return false
      changed.add(draft)
      return apply(draft, item, now)
    })
    runRows(
      db,
      WRITE,
      Array.from(changed, (draft) => toRow(draft, now)),
    )
    return answers
  })
}

const toDraft = (row: DraftRow): Draft => ({
  task: row[0],
  seq: row[1],
  fence: row[2],
  state: row[3],
  started: row[4],
  starts: row[5],
  tries: row[6],
  leaseUntil: row[7],
  nextAt: row[8],
  digits: unpacked(row[9]).split(''),
  reasons: row[10] === null ? undefined : toReasons(row[10]),
  cancelled: row[11] >= stateCode('done'),
})

function toRow(draft: Draft, now: number): Row {
  const digits = draft.digits.join('')
  const reasons = draft.reasons && boundedReasons(draft.reasons)
  const dueAt = draft.state === DONE ? null : draft.state === QUEUED ? (draft.nextAt ?? now) : draft.leaseUntil
  return [
    draft.task,
    draft.seq,
    draft.state,
    draft.started,
    draft.starts,
    draft.tries,
    draft.leaseUntil,
    draft.nextAt,
    dueAt,
    countsOf(digits, reasons),
    packed(digits),
    reasonsText(reasons),
  ]
}

/** Answers whether the writer may go on. */
function apply(draft: Draft, item: ChunkWrite, now: number): boolean {
  for (const [index, outcome, reason] of item.outcomes ?? []) record(draft, index, digitOf(outcome), reason)
  if (draft.cancelled) return stopCancelled(draft, item)
  draft.state = SENDING
  if (item.started !== undefined) draft.started = Math.max(draft.started, Math.min(item.started, draft.digits.length))
  if (item.leaseMs !== undefined) draft.leaseUntil = now + item.leaseMs
  if (item.countTry) draft.tries++
  if (item.state === 'done') close(draft)
  if (item.state === 'queued') release(draft, item.nextAt?.getTime() ?? null)
  return true
}

/** A final outcome stays. A reason belongs to the outcome it came with. */
function record(draft: Draft, index: number, digit: string, reason: string | undefined): void {
  const before = draft.digits[index]
  if (before === undefined || isFinalDigit(before)) return
  draft.digits[index] = digit
  if (draft.reasons) forgetReason(draft.reasons, index)
  if (reason === undefined) return
  draft.reasons ??= new Map()
  addReason(draft.reasons, reason, index)
}

function forgetReason(reasons: Reasons, index: number): void {
  for (const [reason, members] of reasons) {
    const position = members.indexOf(index)
    if (position < 0) continue
    if (members.length === 1) reasons.delete(reason)
    else members.splice(position, 1)
  }
}

const NO_RESULT = 'no result'

/** Of a chunk that its writer calls done, a member without result is `unknown`: left open, it would never be counted. */
function close(draft: Draft): void {
  draft.digits.forEach((digit, index) => {
    if (!isFinalDigit(digit)) record(draft, index, digitOf('unknown'), NO_RESULT)
  })
  draft.state = DONE
  draft.leaseUntil = null
  draft.nextAt = null
}

/** The start ends cleanly: all that was sent is recorded, so nothing below `started` is in doubt. */
function release(draft: Draft, nextAt: number | null): void {
  draft.state = QUEUED
  draft.started = 0
  draft.starts = 0
  draft.leaseUntil = null
  draft.nextAt = nextAt
}

/**
 * The task was cancelled: what was not handed to the vendor is cancelled, what is in flight may still be recorded.
 * A writer that wants another window is told to stop.
 */
function stopCancelled(draft: Draft, item: ChunkWrite): boolean {
  const ended = item.state !== undefined
  draft.digits.forEach((digit, index) => {
    const inFlight = !ended && index < draft.started && digit !== digitOf('deferred')
    if (!isFinalDigit(digit) && !inFlight) record(draft, index, digitOf('cancelled'), undefined)
  })
  if (isAllFinal(draft.digits.join(''))) close(draft)
  return item.started === undefined
}
