import { isFinal, type Outcome } from '@fanfare/core'
import type { QueryFilter } from 'mongoose'
import type { Db } from '../connect.ts'
import { slices } from '../rows.ts'
import type { ChunkDoc } from '../schemas.ts'
import { DRAFT_FIELDS, type Draft, outcomesOf, putFlags, putOutcomes, putReasons, reasonsByMember } from './rows.ts'
import { draftOf, swap } from './swap.ts'

/** What becomes of the open members of a chunk, and of the chunk. */
export type Ending = { outcome: Outcome; reason?: string; state: 'done' | 'dead' }
/** Chunks ended in one bulk. */
export const END_STEP = 100

/** A chunk being sent is left to its sender as long as the lease holds. */
export const isBeingSent = (row: Pick<Draft, 'state' | 'leaseUntil'>, now: Date): boolean =>
  row.state === 'sending' && row.leaseUntil !== undefined && row.leaseUntil >= now

/** Ends these chunks, each if nobody changed it meanwhile; answers how many it was. */
export async function end(db: Db, rows: readonly Draft[], ending: Ending, now: Date): Promise<number> {
  let ended = 0
  for (const step of slices(rows, END_STEP)) {
    const won = await swap(
      db,
      step.map((row) => ({ row, next: endedRow(row, ending, now) })),
    )
    ended += won.filter(Boolean).length
  }
  return ended
}

function endedRow(row: Draft, ending: Ending, now: Date): Draft {
  const next = draftOf(row)
  const reasons = reasonsByMember(row)
  const outcomes = outcomesOf(row).map((outcome, index) => {
    if (isFinal(outcome)) return outcome
    if (ending.reason !== undefined) reasons[index] = ending.reason
    return ending.outcome
  })
  putOutcomes(next, outcomes)
  putReasons(next, reasons)
  next.state = ending.state
  next.leaseUntil = undefined
  next.nextAt = undefined
  putFlags(next, now)
  return next
}

export const find = (db: Db, filter: QueryFilter<ChunkDoc>, limit: number): Promise<Draft[]> =>
  db.chunks.find(filter, DRAFT_FIELDS).limit(limit).lean<Draft[]>().exec()
