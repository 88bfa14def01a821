import { trusted } from 'mongoose'
import { later } from './clock.ts'
import type { Db } from './connect.ts'
import { KEY_TTL_MS } from './tasks/create.ts'

/**
 * Deletes what has outlived its time, at most `limit` of each kind; answers how many tasks, keys and tokens are gone.
 * The server's own TTL indexes do the same about once a minute; this makes it happen now, and frees keys after 24 h.
 */
export async function purge(db: Db, limit: number): Promise<number> {
  const now = await db.clock.now()
  const deleted = await Promise.all([purgeTasks(db, now, limit), freeKeys(db, now, limit), purgeTokens(db, now, limit)])
  return deleted.reduce((sum, count) => sum + count, 0)
}

/** The chunks and ranges first: a task without them would count wrong. */
async function purgeTasks(db: Db, now: Date, limit: number): Promise<number> {
  const rows = await db.tasks
    .find({ purgeAt: trusted({ $lt: now }) }, { _id: 1 })
    .limit(limit)
    .lean()
  if (rows.length === 0) return 0
  const ids = trusted({ $in: rows.map((row) => row._id) })
  await Promise.all([db.chunks.deleteMany({ taskId: ids }), db.ranges.deleteMany({ taskId: ids })])
  return (await db.tasks.deleteMany({ _id: ids })).deletedCount
}

/** Keys of tasks that are kept longer than a day. There are at most as many as one day's keyed requests in seven. */
async function freeKeys(db: Db, now: Date, limit: number): Promise<number> {
  const rows = await db.tasks
    .find({ 'idem.at': trusted({ $lte: later(now, -KEY_TTL_MS) }) }, { _id: 1 })
    .limit(limit)
    .lean()
  if (rows.length === 0) return 0
  const filter = { _id: trusted({ $in: rows.map((row) => row._id) }) }
  return (await db.tasks.updateMany(filter, { $unset: { idem: 1 } })).modifiedCount
}

async function purgeTokens(db: Db, now: Date, limit: number): Promise<number> {
  const rows = await db.revoked
    .find({ expiresAt: trusted({ $lt: now }) }, { _id: 1 })
    .limit(limit)
    .lean()
  if (rows.length === 0) return 0
  return (await db.revoked.deleteMany({ _id: trusted({ $in: rows.map((row) => row._id) }) })).deletedCount
}
