import { StoreDownError } from '@fanfare/core'
import type { Db } from './connect.ts'
import { isDuplicate } from './errors.ts'
import { rawOf } from './rows.ts'

const COUNTER = 'ids'
/** Every lost race means that another process got its block. */
const TRIES = 1000

/**
 * Reserves a block; the first id is 1. A compare-and-set in place of `findOneAndUpdate` with `$inc`: SecantusDB 0.7 was
 * seen to answer racing callers with the same document.
 */
export async function takeIds(db: Db, count: number): Promise<number> {
  const counters = rawOf(db.counters)
  for (let tries = 0; tries < TRIES; tries++) {
    const row = await counters.findOne({ _id: COUNTER })
    if (!row) {
      if (!(await isDuplicate(counters.insertOne({ _id: COUNTER, next: 1 + count })))) return 1
      continue
    }
    const change = { $set: { next: row.next + count } }
    if ((await counters.updateOne({ _id: COUNTER, next: row.next }, change)).matchedCount > 0) return row.next
  }
  throw new StoreDownError('no block of ids could be reserved')
}
