import { afterFirst, type ChunkEvent, type Given } from '@fanfare/core'
import type { QueryFilter } from 'mongoose'
import type { Db } from '../connect.ts'
import { slices } from '../rows.ts'
import type { ChunkDoc } from '../schemas.ts'
import { DRAFT_FIELDS, type Draft } from './rows.ts'
import { moved, swap } from './swap.ts'

/** Which of these events, the first that applies, ends a chunk. */
export type Ending = { events: readonly ChunkEvent[]; given: Given }
/** Chunks ended in one bulk. */
export const END_STEP = 100

/** Ends these chunks as the ledger has it, each if nobody changed it meanwhile; answers how many it was. */
export async function end(db: Db, rows: readonly Draft[], ending: (row: Draft) => Ending): Promise<number> {
  let ended = 0
  for (const step of slices(rows, END_STEP)) {
    const swaps = step.flatMap((row) => {
      const { events, given } = ending(row)
      return moved(row, (ledger) => afterFirst(events, ledger, given))
    })
    ended += (await swap(db, swaps)).filter(Boolean).length
  }
  return ended
}

export const find = (db: Db, filter: QueryFilter<ChunkDoc>, limit: number): Promise<Draft[]> =>
  db.chunks.find(filter, DRAFT_FIELDS).limit(limit).lean<Draft[]>().exec()
