import { trusted } from 'mongoose'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import { insertAll } from '../rows.ts'
import { NO_APP, tombstone } from '../tasks/rows.ts'
import { end, find } from './end.ts'
import { endPassed, endWaiting } from './leftover.ts'

const ORPHAN_MS = 60_000
/** Open chunks of a task looked at in one pass; more than are ever being sent at once. */
const CANCEL_LOOK = 5000

export async function expire(db: Db, limit: number): Promise<number> {
  const now = await db.clock.now()
  const tasks = await db.tasks
    .find({ openUntil: trusted({ $lte: now }) }, { state: 1, expiresAt: 1 })
    .sort({ openUntil: 1 })
    .limit(limit)
    .lean()
  const byId = new Map(tasks.map((task) => [task._id, task]))
  const rows = byId.size > 0 ? await find(db, { openTask: trusted({ $in: [...byId.keys()] }) }, limit) : []
  const expired = await end(db, rows, ({ taskId }) => {
    const task = byId.get(taskId)
    return { events: ['expire'], given: { now: now.getTime(), ...(task && { task }) } }
  })
  return expired + (await endPassed(db, limit, now)) + (await endWaiting(db, limit, now))
}

export async function abandonSync(db: Db, limit: number): Promise<number> {
  const now = await db.clock.now()
  const rows = await find(db, { wakeKind: 'sync', wakeAt: trusted({ $lt: now }) }, limit)
  return end(db, rows, () => ({ events: ['abandon'], given: { now: now.getTime() } }))
}

export async function bury(db: Db, maxStarts: number, limit: number): Promise<number> {
  const now = await db.clock.now()
  const passed = { wakeKind: 'lease' as const, wakeAt: trusted({ $lt: now }), starts: trusted({ $gt: maxStarts }) }
  const given = { now: now.getTime(), maxStarts }
  return end(db, await find(db, passed, limit), () => ({ events: ['bury'], given }))
}

/** In steps, from the lowest chunk up, until a pass finds none that it may end. */
export async function cancel(db: Db, taskId: string): Promise<number> {
  let cancelled = 0
  for (;;) {
    const given = { now: (await db.clock.now()).getTime() }
    const rows = await find(db, { openTask: Number(taskId) }, CANCEL_LOOK)
    const ended = await end(db, rows, () => ({ events: ['cancel'], given }))
    cancelled += ended
    if (ended === 0) return cancelled
  }
}

/**
 * Chunks that were written more than a minute ago and whose task never followed (task-create.ts). They stand among
 * those that the sweeper should have looked at long ago. Whoever wrote them may only have been suspended: a tombstone
 * takes the place of the task first, so that either the task comes or its chunks go.
 */
export async function removeOrphans(db: Db, limit: number): Promise<number> {
  const now = await db.clock.now()
  const overdue = await Promise.all(
    (['planned', 'sync'] as const).map((wakeKind) =>
      db.chunks.distinct('taskId', { wakeKind, wakeAt: trusted({ $lt: later(now, -ORPHAN_MS) }) }),
    ),
  )
  const ids = [...new Set(overdue.flat())].slice(0, limit)
  if (ids.length === 0) return 0
  const found = await db.tasks.find({ _id: trusted({ $in: ids }) }, { appId: 1 }).lean()
  const known = new Set(found.map((task) => task._id))
  const buried = found.filter((task) => task.appId === NO_APP).map((task) => task._id)
  const missing = ids.filter((id) => !known.has(id)).map((id) => tombstone(id, now))
  const came = new Set((await insertAll(db.tasks, missing)).map(({ index }) => index))
  const orphans = [...buried, ...missing.filter((_, index) => !came.has(index)).map((row) => row._id)]
  if (orphans.length === 0) return 0
  return (await db.chunks.deleteMany({ taskId: trusted({ $in: orphans }) })).deletedCount
}
