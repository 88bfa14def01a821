import { type ChunkWrite, isFinal, type Outcome } from '@fanfare/core'
import { trusted } from 'mongoose'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import { isOpen } from '../tasks/rows.ts'
import {
  chunkKey,
  DRAFT_FIELDS,
  type Draft,
  outcomesOf,
  putFlags,
  putOutcomes,
  putReasons,
  reasonsByMember,
} from './rows.ts'
import { draftOf, type Swap, swap } from './swap.ts'

/** A chunk between reading and writing. */
type Open = Swap & { outcomes: Outcome[]; reasons: (string | undefined)[] | undefined; cancelled: boolean }
type Asked = { item: ChunkWrite; index: number }

/** A chunk that somebody changed between reading and writing is read again this often; then its writer is told to stop. */
const TRIES = 8
const NO_RESULT = 'no result'

/** Reads, applies the writes of each chunk in their order, and swaps: two round trips for a whole list. */
export async function write(db: Db, writes: readonly ChunkWrite[]): Promise<boolean[]> {
  const answers = writes.map(() => false)
  let open: Asked[] = writes.map((item, index) => ({ item, index }))
  for (let tries = 0; open.length > 0 && tries < TRIES; tries++) {
    const lost = await attempt(db, open, answers)
    open = open.filter(({ item }) => lost.has(chunkKey(item.taskId, item.seq)))
    for (const { index } of open) answers[index] = false
  }
  return answers
}

/** Puts the answers in their places; those of the chunks it answers with are void, somebody else changed these. */
async function attempt(db: Db, asked: readonly Asked[], answers: boolean[]): Promise<Set<string>> {
  const now = await db.clock.now()
  const chunks = await read(
    db,
    asked.map(({ item }) => item),
  )
  const changed = new Set<Open>()
  for (const { item, index } of asked) {
    const chunk = chunks.get(chunkKey(item.taskId, item.seq))
    if (!chunk || !isHeldBy(chunk.next, item.fence)) continue
    changed.add(chunk)
    answers[index] = apply(chunk, item, now)
  }
  const swaps = [...changed]
  for (const chunk of swaps) close(chunk, now)
  const won = await swap(db, swaps)
  return new Set(swaps.flatMap(({ row }, index) => (won[index] ? [] : row._id)))
}

async function read(db: Db, writes: readonly ChunkWrite[]): Promise<Map<string, Open>> {
  const keys = [...new Set(writes.map(({ taskId, seq }) => chunkKey(taskId, seq)))]
  const tasks = [...new Set(writes.map(({ taskId }) => Number(taskId)))]
  const [rows, states] = await Promise.all([
    db.chunks.find({ _id: trusted({ $in: keys }) }, DRAFT_FIELDS).lean(),
    db.tasks.find({ _id: trusted({ $in: tasks }) }, { state: 1 }).lean(),
  ])
  const running = new Map(states.map((task) => [task._id, isOpen(task.state)]))
  const opened = rows.map((row): [string, Open] => [
    row._id,
    {
      ...{ row, next: draftOf<Draft>(row), outcomes: outcomesOf(row) },
      reasons: row.reasons.length > 0 ? reasonsByMember(row) : undefined,
      cancelled: running.get(row.taskId) !== true,
    },
  ])
  return new Map(opened)
}

/** A chunk that the sweeper queued again is still its writer's until it is claimed; one that was given back is not. */
function isHeldBy(chunk: Draft, fence: number): boolean {
  if (chunk.fence !== fence) return false
  return chunk.state === 'sending' || (chunk.state === 'queued' && chunk.starts > 0)
}

/** Answers whether the writer may go on. */
function apply(chunk: Open, item: ChunkWrite, now: Date): boolean {
  for (const [index, outcome, reason] of item.outcomes ?? []) record(chunk, index, outcome, reason)
  if (chunk.cancelled) return stopCancelled(chunk, item)
  const { next } = chunk
  next.state = 'sending'
  if (item.started !== undefined) next.started = Math.max(next.started, Math.min(item.started, next.size))
  if (item.leaseMs !== undefined) next.leaseUntil = later(now, item.leaseMs)
  if (item.countTry) next.tries++
  if (item.state === 'done') end(chunk)
  if (item.state === 'queued') release(next, item.nextAt)
  return true
}

/** A final outcome stays. A reason belongs to the outcome it came with. */
function record(chunk: Open, index: number, outcome: Outcome, reason?: string): void {
  const before = chunk.outcomes[index]
  if (before === undefined || isFinal(before)) return
  chunk.outcomes[index] = outcome
  if (reason !== undefined) chunk.reasons ??= new Array(chunk.row.size)
  if (chunk.reasons) chunk.reasons[index] = reason
}

/** Of a chunk that its writer calls done, a member without result is `unknown`: left open, it would never be counted. */
function end(chunk: Open): void {
  chunk.outcomes.forEach((outcome, index) => {
    if (!isFinal(outcome)) record(chunk, index, 'unknown', NO_RESULT)
  })
  chunk.next.state = 'done'
  chunk.next.leaseUntil = undefined
  chunk.next.nextAt = undefined
}

/** The start ends cleanly: all that was sent is recorded, so nothing below `started` is in doubt. */
function release(next: Draft, nextAt: Date | undefined): void {
  next.state = 'queued'
  next.started = 0
  next.starts = 0
  next.leaseUntil = undefined
  next.nextAt = nextAt
}

/**
 * The task was cancelled: what was not handed to the vendor is cancelled, what is in flight may still be recorded.
 * A writer that wants another window is told to stop.
 */
function stopCancelled(chunk: Open, item: ChunkWrite): boolean {
  const ended = item.state !== undefined
  chunk.outcomes.forEach((outcome, index) => {
    const inFlight = !ended && index < chunk.next.started && outcome !== 'deferred'
    if (!isFinal(outcome) && !inFlight) record(chunk, index, 'cancelled')
  })
  if (chunk.outcomes.every(isFinal)) end(chunk)
  return item.started === undefined
}

function close({ next, outcomes, reasons }: Open, now: Date): void {
  putOutcomes(next, outcomes)
  if (reasons) putReasons(next, reasons)
  putFlags(next, now)
}
