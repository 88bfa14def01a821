import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { ChunkDoc } from '../schemas.ts'
import { isOpen } from '../tasks/rows.ts'
import { type Ending, end, find, isBeingSent } from './end.ts'
import { parkedChannels, waitingPairs } from './window.ts'

/** What members of a removed channel are told, as in a synchronous push (docs/wire-api.md §1.4). */
const NO_NOTIFIER: Ending = { outcome: 'rejected', reason: 'no notifier exist', state: 'done' }
const CANCELLED: Ending = { outcome: 'cancelled', state: 'done' }
const FIELDS = { taskId: 1, channelId: 1, state: 1, leaseUntil: 1 } as const
type Passed = Pick<ChunkDoc, '_id' | 'taskId' | 'channelId' | 'state' | 'leaseUntil'>

/** Ends chunks of tasks that ended meanwhile (cancelled while a worker had them and died) and of removed channels. */
export async function endPassed(db: Db, limit: number, now: Date): Promise<number> {
  const passed = await Promise.all(
    (['lease', 'planned', 'deferred'] as const).map((wakeKind) =>
      db.chunks
        .find({ wakeKind, wakeAt: trusted({ $lt: now }) }, FIELDS)
        .limit(limit)
        .lean<Passed[]>(),
    ),
  )
  const rows = passed.flat().filter((row) => !isBeingSent(row, now))
  if (rows.length === 0) return 0
  const { over, gone } = await lookUp(db, rows)
  const cancelled = rows.filter((row) => over.has(row.taskId))
  const unreachable = rows.filter((row) => !over.has(row.taskId) && gone.has(row.channelId ?? 0))
  return (await endById(db, cancelled, CANCELLED, now)) + (await endById(db, unreachable, NO_NOTIFIER, now))
}

async function endById(db: Db, rows: readonly Passed[], ending: Ending, now: Date): Promise<number> {
  if (rows.length === 0) return 0
  const found = await find(db, { _id: trusted({ $in: rows.map((row) => row._id) }) }, rows.length)
  const idle = found.filter((row) => row.openTask !== undefined && !isBeingSent(row, now))
  return end(db, idle, ending, now)
}

/**
 * Ends waiting chunks that nobody will promote: of removed channels, and of tasks that were cancelled by a process that
 * died before it cancelled the chunks. Jumps through the index of waiting chunks, so it is cheap where there are none.
 */
export async function endWaiting(db: Db, limit: number, now: Date): Promise<number> {
  const [pairs, parked] = [await waitingPairs(db), await parkedChannels(db)]
  if (pairs.length + parked.length === 0) return 0
  const { over, gone } = await lookUp(db, [
    ...pairs.map(({ channel, task }) => ({ taskId: task, channelId: channel })),
    ...parked.map((channelId) => ({ taskId: 0, channelId })),
  ])
  let ended = 0
  for (const channel of parked) {
    if (gone.has(channel)) ended += await end(db, await find(db, { parks: channel }, limit), NO_NOTIFIER, now)
  }
  for (const { channel, task } of pairs) {
    const ending = over.has(task) ? CANCELLED : gone.has(channel) ? NO_NOTIFIER : undefined
    if (!ending || ended >= limit) continue
    ended += await end(db, await find(db, { waits: channel, taskId: task }, limit - ended), ending, now)
  }
  return ended
}

/** Single pushes have a task each, so each of them is looked at: seldom. */
export async function endSingles(db: Db, limit: number): Promise<number> {
  const now = await db.clock.now()
  let ended = 0
  for (let after = 0; ; ) {
    const rows = await db.chunks
      .find({ parks: trusted({ $gt: 0 }), taskId: trusted({ $gt: after }) }, FIELDS)
      .sort({ taskId: 1 })
      .limit(limit)
      .lean<Passed[]>()
    if (rows.length === 0) return ended
    const { over } = await lookUp(db, rows)
    const cancelled = rows.filter((row) => over.has(row.taskId))
    ended += await endById(db, cancelled, CANCELLED, now)
    after = rows.at(-1)?.taskId ?? Number.MAX_SAFE_INTEGER
  }
}

/** Of these tasks those that are over, and of these channels those that are gone. */
async function lookUp(db: Db, rows: readonly Pick<Passed, 'taskId' | 'channelId'>[]) {
  const taskIds = [...new Set(rows.map((row) => row.taskId))]
  const channelIds = [...new Set(rows.map((row) => row.channelId ?? 0))]
  const [tasks, channels] = await Promise.all([
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { state: 1 }).lean(),
    db.channels.find({ _id: trusted({ $in: channelIds }) }, { _id: 1 }).lean(),
  ])
  const there = new Set(channels.map((row) => row._id))
  return {
    over: new Set(tasks.filter((task) => !isOpen(task.state)).map((task) => task._id)),
    gone: new Set(channelIds.filter((id) => !there.has(id))),
  }
}
