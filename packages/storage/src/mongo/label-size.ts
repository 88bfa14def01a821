import { randomUUID } from 'node:crypto'
import { later } from './clock.ts'
import type { Db } from './connect.ts'
import { onceMore } from './errors.ts'
import { rawOf } from './rows.ts'
import type { LabelDoc } from './schemas.ts'

/**
 * How many members a label has, kept beside them without a transaction. A change of the members is marked in the label
 * (`open`) before it, and ends with its number added and its mark gone in one write. A mark that is left behind tells
 * that its process died: then members are counted.
 */

/** A change that has not ended by now never will; one that goes on all the same sees its mark gone, and counts. */
const OVER_MS = 60_000
/** What takes longer than this may be of a process that died: members are counted until it is over. */
const LATE_MS = 1000
/** So few are counted while any change goes on. */
const FEW = 10_000
/** A count is void where a change began or ended meanwhile. */
const RECOUNTS = 3

/** By how many the members changed; undefined where the change cannot tell. */
type Change = (at: Date) => Promise<number | undefined>

/** Runs a change of the members of one label; its instant is given to it. */
export async function changeMembers(db: Db, labelId: number, change: Change): Promise<void> {
  const [name, at] = [randomUUID(), await db.clock.now()]
  if (!(await mark(db, labelId, { name, at, counts: true }))) return
  const by = await change(at)
  const ended = by !== undefined && (await end(db, labelId, { name, by }))
  if (!ended) await recount(db, labelId, name)
}

type Mark = { name: string; at: Date; counts: boolean }

/** False where there is no such label. */
async function mark(db: Db, _id: number, { name, at, counts }: Mark): Promise<boolean> {
  const update = { $set: { [`open.${name}`]: { at, counts } }, $inc: { rev: 1 } }
  return (await onceMore(() => rawOf(db.labels).updateOne({ _id }, update))).matchedCount > 0
}

/** Its number counts once, also where the answer was lost: then no mark is found, and members are counted. */
async function end(db: Db, _id: number, { name, by }: { name: string; by: number }): Promise<boolean> {
  const filter = { _id, [`open.${name}.counts`]: true }
  const update = { $unset: { [`open.${name}`]: 1 as const }, $inc: { size: by, rev: 1 } }
  return (await onceMore(() => rawOf(db.labels).updateOne(filter, update))).matchedCount > 0
}

/**
 * Counts, and takes away the mark of `name` and those that are over. What the others do may be in the number or not, so
 * theirs is not to be added. Where changes begin and end faster than members are counted, a mark stays.
 */
async function recount(db: Db, _id: number, name?: string): Promise<number> {
  let count = 0
  for (let tries = 0; tries < RECOUNTS; tries++) {
    const row = await rawOf(db.labels).findOne({ _id }, { projection: { open: 1, rev: 1 } })
    if (!row) return count
    count = await countMembers(db, _id)
    const since = later(await db.clock.now(), -OVER_MS)
    const others = Object.entries(row.open ?? {}).filter(([other, { at }]) => other !== name && at > since)
    const open = Object.fromEntries(others.map(([other, { at }]) => [other, { at, counts: false }]))
    const update = { $set: { size: count, open }, $inc: { rev: 1 } }
    const same = { _id, rev: row.rev }
    if ((await onceMore(() => rawOf(db.labels).updateOne(same, update))).matchedCount > 0) return count
  }
  if (name !== undefined) await mark(db, _id, { name, at: new Date(0), counts: false })
  return count
}

const countMembers = (db: Db, labelId: number): Promise<number> => db.labelMembers.countDocuments({ labelId }).exec()

/** The number of members of each label as it was read. */
export async function sizesOf(db: Db, rows: readonly LabelDoc[]): Promise<number[]> {
  const now = await db.clock.now()
  return Promise.all(rows.map((row) => sizeOf(db, row, now)))
}

async function sizeOf(db: Db, row: LabelDoc, now: Date): Promise<number> {
  const begun = Object.values(row.open ?? {}).map(({ at }) => now.getTime() - at.getTime())
  if (begun.length === 0) return row.size
  const oldestMs = Math.max(...begun)
  if (oldestMs > OVER_MS) return recount(db, row._id)
  return oldestMs > LATE_MS || row.size < FEW ? countMembers(db, row._id) : row.size
}
