import { later } from './clock.ts'
import type { Db } from './connect.ts'
import { isDuplicate } from './errors.ts'
import { rawOf } from './rows.ts'

/**
 * Each step is one conditional write on the store's time: the holder prolongs, else somebody takes what has passed, else
 * somebody makes what is new. A lease of 0 ms gives it back.
 */
export async function lease(db: Db, name: string, holder: string, leaseMs: number): Promise<boolean> {
  const leases = rawOf(db.leases)
  const mine = { _id: { $eq: name }, holder: { $eq: holder } }
  if (leaseMs <= 0) {
    await leases.deleteOne(mine)
    return false
  }
  const now = await db.clock.now()
  const until = later(now, leaseMs)
  if ((await leases.updateOne(mine, { $set: { until } })).matchedCount > 0) return true
  const passed = { _id: { $eq: name }, until: { $lte: now } }
  if ((await leases.updateOne(passed, { $set: { until, holder } })).matchedCount > 0) return true
  return !(await isDuplicate(leases.insertOne({ _id: name, holder, until })))
}
