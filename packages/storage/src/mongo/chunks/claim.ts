import { type ChunkRef, type ChunkState, type Claimed, isFinal, type Outcome } from '@fanfare/core'
import { trusted } from 'mongoose'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import type { ChunkDoc, TaskDoc } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { isSending, toTask } from '../tasks/rows.ts'
import { chunkKey, isAllFinal, outcomesOf, putFlags, putOutcomes, toChunk } from './rows.ts'
import { draftOf, swap } from './swap.ts'

type Terms = { leaseMs: number; firstWindow: number }
type Candidate = { row: ChunkDoc; task: TaskDoc; next: ChunkDoc }

/** Reads tasks and chunks, decides, and swaps: two round trips for a whole list. The task comes without its plan. */
export async function claim(db: Db, refs: readonly ChunkRef[], terms: Terms): Promise<(Claimed | undefined)[]> {
  if (refs.length === 0) return []
  const wanted = new Map(refs.map((ref) => [chunkKey(ref.taskId, ref.seq), ref]))
  const now = await db.clock.now()
  const candidates = await claimable(db, wanted, now)
  for (const candidate of candidates) take(candidate, terms, now)
  const won = await swap(db, candidates)
  const claimed = new Map<string, Claimed>()
  candidates.forEach(({ next, task }, index) => {
    if (won[index] && next.state === 'sending') claimed.set(next._id, { chunk: toChunk(next), task: toTask(task) })
  })
  return refs.map((ref) => {
    const key = chunkKey(ref.taskId, ref.seq)
    const mine = claimed.get(key)
    claimed.delete(key)
    return mine
  })
}

/** Jobs of chunks that are long done need not read their members. */
const TAKEN_IN: ChunkState[] = ['planned', 'queued', 'sending']

async function claimable(db: Db, wanted: ReadonlyMap<string, ChunkRef>, now: Date): Promise<Candidate[]> {
  const taskIds = [...new Set([...wanted.values()].map((ref) => Number(ref.taskId)))]
  const [found, tasks] = await Promise.all([
    db.chunks.find({ _id: trusted({ $in: [...wanted.keys()] }), state: trusted({ $in: TAKEN_IN }) }).lean(),
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { plan: 0 }).lean(),
  ])
  const rows = await committed(db, found)
  const byId = new Map(tasks.map((task) => [task._id, task]))
  return rows.flatMap((row) => {
    const task = byId.get(row.taskId)
    const goes = task && isSending(task.state) && task.expiresAt > now
    const ref = wanted.get(row._id)
    return goes && ref && row.gen >= ref.gen && isFree(row, now) ? [{ row, task, next: draftOf(row) }] : []
  })
}

function isFree(row: ChunkDoc, now: Date): boolean {
  if (row.lane === 'sync') return false
  if (row.state === 'planned' || row.state === 'queued') return !row.nextAt || row.nextAt <= now
  return row.state === 'sending' && row.leaseUntil !== undefined && row.leaseUntil < now
}

/**
 * Members below the old `started` may have reached the vendor: of tasks with `onUnknown: drop` they become `unknown` and
 * stay so, and a chunk with no open member left is done. With `resend` they are simply still open.
 */
function take({ task, next }: Candidate, terms: Terms, now: Date): void {
  const outcomes = outcomesOf(next)
  const crashed = next.started
  if (crashed > 0 && task.onUnknown === 'drop') putOutcomes(next, withUnknown(outcomes, crashed))
  next.fence++
  next.starts++
  next.started = endOfWindow(outcomes, terms.firstWindow)
  next.leaseUntil = later(now, terms.leaseMs)
  next.nextAt = undefined
  next.state = isAllFinal(outcomes) && outcomes.length > 0 ? 'done' : 'sending'
  putFlags(next, now)
}

function withUnknown(outcomes: Outcome[], below: number): Outcome[] {
  for (let index = 0; index < below; index++) {
    if (outcomes[index] === 'unsent' || outcomes[index] === 'started') outcomes[index] = 'unknown'
  }
  return outcomes
}

/** The index behind the first `size` members that are still to be sent. */
function endOfWindow(outcomes: readonly Outcome[], size: number): number {
  let left = size
  for (const [index, outcome] of outcomes.entries()) {
    if (!isFinal(outcome) && left-- === 0) return index
  }
  return outcomes.length
}
