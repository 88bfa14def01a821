import type { TaskFacts } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { ChunkDoc } from '../schemas.ts'
import { isOpen } from '../tasks/rows.ts'
import { end, find } from './end.ts'
import type { Draft } from './rows.ts'
import { parkedChannels, waitingPairs } from './window.ts'

const FIELDS = { taskId: 1, channelId: 1 } as const
type Passed = Pick<ChunkDoc, '_id' | 'taskId' | 'channelId'>

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
  return endById(db, passed.flat(), now)
}

async function endById(db: Db, rows: readonly Passed[], now: Date): Promise<number> {
  if (rows.length === 0) return 0
  const around = await lookUp(db, rows)
  const left = rows.filter((row) => around.isOver(row) || around.isGone(row))
  if (left.length === 0) return 0
  return endLeft(db, await find(db, { _id: trusted({ $in: left.map((row) => row._id) }) }, left.length), around, now)
}

const endLeft = (db: Db, rows: readonly Draft[], around: Around, now: Date): Promise<number> =>
  end(db, rows, (row) => {
    const task = around.taskOf(row)
    const given = { now: now.getTime(), ...(task && { task }), isChannelGone: around.isGone(row) }
    return { events: ['taskOver', 'channelGone'], given }
  })

/**
 * Ends waiting chunks that nobody will promote: of removed channels, and of tasks that were cancelled by a process that
 * died before it cancelled the chunks. Jumps through the index of waiting chunks, so it is cheap where there are none.
 */
export async function endWaiting(db: Db, limit: number, now: Date): Promise<number> {
  const [pairs, parked] = [await waitingPairs(db), await parkedChannels(db)]
  if (pairs.length + parked.length === 0) return 0
  const places = pairs.map(({ channel, task }) => ({ taskId: task, channelId: channel }))
  const around = await lookUp(db, [...places, ...parked.map((channelId) => ({ taskId: 0, channelId }))])
  let ended = 0
  for (const channelId of parked) {
    if (!around.isGone({ channelId })) continue
    const rows = await find(db, { parks: channelId }, limit)
    ended += await endLeft(db, rows, await lookUp(db, rows), now)
  }
  for (const { channelId, taskId } of places) {
    if (ended >= limit || !(around.isOver({ taskId }) || around.isGone({ channelId }))) continue
    ended += await endLeft(db, await find(db, { waits: channelId, taskId }, limit - ended), around, now)
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
    ended += await endById(db, rows, now)
    after = rows.at(-1)?.taskId ?? Number.MAX_SAFE_INTEGER
  }
}

type Around = Awaited<ReturnType<typeof lookUp>>

/** Of these chunks the tasks as they are, and which channels are gone. */
async function lookUp(db: Db, rows: readonly Pick<Passed, 'taskId' | 'channelId'>[]) {
  const taskIds = [...new Set(rows.map((row) => row.taskId))]
  const channelIds = [...new Set(rows.map((row) => row.channelId ?? 0))]
  const [tasks, channels] = await Promise.all([
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { state: 1 }).lean(),
    db.channels.find({ _id: trusted({ $in: channelIds }) }, { _id: 1 }).lean(),
  ])
  const byId = new Map(tasks.map((task) => [task._id, task]))
  const there = new Set(channels.map((row) => row._id))
  const taskOf = ({ taskId }: Pick<Passed, 'taskId'>): TaskFacts | undefined => byId.get(taskId)
  return {
    taskOf,
    isOver(row: Pick<Passed, 'taskId'>): boolean {
      const task = taskOf(row)
      return task !== undefined && !isOpen(task.state)
    },
    isGone: ({ channelId }: Pick<Passed, 'channelId'>): boolean => !there.has(channelId ?? 0),
  }
}
