import type { BacklogRow, ChunkRef, WaitingLane } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { TaskDoc } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { isSending } from '../tasks/rows.ts'
import { toRef } from './rescue.ts'
import { DRAFT_FIELDS, type Draft, putFlags } from './rows.ts'
import { draftOf, swap } from './swap.ts'

type Head = Pick<TaskDoc, '_id' | 'state' | 'canary'>
const HEAD = { state: 1, canary: 1 } as const

/** Tasks that may have chunks promoted: being sent, and no canary that runs or was held. */
const mayGo = (task: Head): boolean => isSending(task.state) && (!task.canary || task.canary.state === 'passed')

export const promote = (db: Db, channelId: string, limit: number, lane: WaitingLane = 'bulk'): Promise<ChunkRef[]> =>
  (lane === 'bulk' ? promoteBulk : promoteSingles)(db, channelId, limit)

/** Single pushes have a task each; of a page those that are paused are passed over. */
async function promoteSingles(db: Db, channelId: string, limit: number): Promise<ChunkRef[]> {
  const promoted: ChunkRef[] = []
  for (let skip = 0; promoted.length < limit; ) {
    const rows: Draft[] = await db.chunks
      .find({ parks: Number(channelId) }, DRAFT_FIELDS)
      .sort({ taskId: 1, seq: 1 })
      .skip(skip)
      .limit(limit - promoted.length)
      .lean()
    if (rows.length === 0) break
    const going = await tasksToGo(db, new Set(rows.map((row) => row.taskId)))
    const now = await db.clock.now()
    const swaps = rows.filter((row) => going.has(row.taskId)).map((row) => ({ row, next: planned(row, now) }))
    const won = await swap(db, swaps)
    promoted.push(...swaps.flatMap(({ next }, index) => (won[index] ? [toRef(next)] : [])))
    // What was promoted, here or by another, is not among the waiting any more.
    skip += rows.length - swaps.length
  }
  return promoted
}

async function tasksToGo(db: Db, ids: ReadonlySet<number>): Promise<Set<number>> {
  const tasks = await db.tasks.find({ _id: trusted({ $in: [...ids] }) }, HEAD).lean()
  return new Set(tasks.filter(mayGo).map((task) => task._id))
}

/** Steps from task to task, so that the waiting chunks of a paused one are not read. */
async function promoteBulk(db: Db, channelId: string, limit: number): Promise<ChunkRef[]> {
  const promoted: ChunkRef[] = []
  let place: Place | undefined = { channel: Number(channelId), task: 0 }
  while (promoted.length < limit) {
    place = await nextPair(db, place, true)
    if (!place) break
    const task: Head | null = await db.tasks.findOne({ _id: place.task }, HEAD).lean()
    if (task && mayGo(task)) promoted.push(...(await promoteOf(db, place, limit - promoted.length)))
  }
  return promoted
}

/** What another promoter took meanwhile, and what a crashed planner left behind, is passed over. */
async function promoteOf(db: Db, place: Place, limit: number): Promise<ChunkRef[]> {
  const promoted: ChunkRef[] = []
  for (let after = -1; promoted.length < limit; ) {
    const rows: Draft[] = await db.chunks
      .find({ waits: place.channel, taskId: place.task, seq: trusted({ $gt: after }) }, DRAFT_FIELDS)
      .sort({ seq: 1 })
      .limit(limit - promoted.length)
      .lean()
    const last = rows.at(-1)
    if (!last) break
    after = last.seq
    const now = await db.clock.now()
    const swaps = (await committed(db, rows)).map((row) => ({ row, next: planned(row, now) }))
    const won = await swap(db, swaps)
    promoted.push(...swaps.flatMap(({ next }, index) => (won[index] ? [toRef(next)] : [])))
  }
  return promoted
}

/** That it belongs to its task is known from here on, so whoever claims it need not look at its range. */
function planned(row: Draft, now: Date): Draft {
  const next = draftOf(row)
  next.state = 'planned'
  next.range = undefined
  putFlags(next, now)
  return next
}

type Place = { channel: number; task: number }

/** The next (channel, task) with waiting chunks: one step in the index, however many chunks wait. */
async function nextPair(db: Db, after: Place, sameChannel: boolean): Promise<Place | undefined> {
  const next = await db.chunks
    .findOne({ waits: after.channel, taskId: trusted({ $gt: after.task }) }, { waits: 1, taskId: 1 })
    .sort({ taskId: 1 })
    .lean()
  if (next) return { channel: after.channel, task: next.taskId }
  if (sameChannel) return undefined
  const other = await db.chunks
    .findOne({ waits: trusted({ $gt: after.channel }) }, { waits: 1, taskId: 1 })
    .sort({ waits: 1, taskId: 1 })
    .lean()
  return other?.waits === undefined ? undefined : { channel: other.waits, task: other.taskId }
}

/** All (channel, task) with waiting chunks of channels behind `after`. */
export async function waitingPairs(db: Db, after = 0): Promise<Place[]> {
  const pairs: Place[] = []
  for (let place = await nextPair(db, { channel: after, task: Number.MAX_SAFE_INTEGER }, false); place; ) {
    pairs.push(place)
    place = await nextPair(db, place, false)
  }
  return pairs
}

/** Channels with waiting single pushes, one step in the index for each; some of them may have only paused ones. */
export async function parkedChannels(db: Db, after = 0): Promise<number[]> {
  const found: number[] = []
  for (let channel: number | undefined = after; channel !== undefined; ) {
    const next: { parks?: number | undefined } | null = await db.chunks
      .findOne({ parks: trusted({ $gt: channel }) }, { parks: 1 })
      .sort({ parks: 1 })
      .lean()
    channel = next?.parks
    if (channel !== undefined) found.push(channel)
  }
  return found
}

export async function backlog(db: Db, limit: number, after = '0'): Promise<BacklogRow[]> {
  const pairs = await waitingPairs(db, Number(after))
  const singles = new Set(await parkedChannels(db, Number(after)))
  const going = await tasksToGo(db, new Set(pairs.map((pair) => pair.task)))
  const bulk = new Set(pairs.filter((pair) => going.has(pair.task)).map((pair) => pair.channel))
  return channelsWithOpen(db, { bulk, singles }, limit)
}

type Waiting = Record<'bulk' | 'singles', ReadonlySet<number>>

async function channelsWithOpen(db: Db, { bulk, singles }: Waiting, limit: number): Promise<BacklogRow[]> {
  if (bulk.size + singles.size === 0) return []
  const rows = await db.channels
    .find({ _id: trusted({ $in: [...bulk, ...singles] }) }, { appId: 1, platform: 1 })
    .sort({ _id: 1 })
    .limit(limit)
    .lean()
  const open = await Promise.all(rows.map((row) => db.chunks.countDocuments({ busy: row._id })))
  return rows.map((row, index) => ({
    channelId: String(row._id),
    appId: String(row.appId),
    platform: row.platform,
    open: open[index] ?? 0,
    single: singles.has(row._id),
    bulk: bulk.has(row._id),
  }))
}

export const openSingles = (db: Db, appId: string, most: number): Promise<number> =>
  db.chunks
    .countDocuments({ appId: Number(appId), lane: 'single', openTask: trusted({ $gt: 0 }) })
    .limit(most)
    .exec()
