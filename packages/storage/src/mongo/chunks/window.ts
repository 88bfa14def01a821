import { after, type BacklogRow, type ChunkRef, type WaitingLane } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { TaskDoc } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { isSending } from '../tasks/rows.ts'
import { toRef } from './rescue.ts'
import { DRAFT_FIELDS, type Draft } from './rows.ts'
import { moved, swap } from './swap.ts'

type Head = Pick<TaskDoc, '_id' | 'state' | 'canary'>
const HEAD = { state: 1, canary: 1 } as const

/** Tasks whose waiting chunks are looked at: being sent, and no canary that runs or was held. */
const mayGo = (task: Head | null | undefined): boolean =>
  !!task && isSending(task.state) && (!task.canary || task.canary.state === 'passed')

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
    const { tried, refs } = await promoteAll(db, rows, await headsOf(db, new Set(rows.map((row) => row.taskId))))
    promoted.push(...refs)
    // What was promoted, here or by another, is not among the waiting any more.
    skip += rows.length - tried
  }
  return promoted
}

async function headsOf(db: Db, ids: ReadonlySet<number>): Promise<Map<number, Head>> {
  const tasks = await db.tasks.find({ _id: trusted({ $in: [...ids] }) }, HEAD).lean()
  return new Map(tasks.map((task) => [task._id, task]))
}

/** Steps from task to task, so that the waiting chunks of a paused one are not read. */
async function promoteBulk(db: Db, channelId: string, limit: number): Promise<ChunkRef[]> {
  const promoted: ChunkRef[] = []
  let place: Place | undefined = { channel: Number(channelId), task: 0 }
  while (promoted.length < limit) {
    place = await nextPair(db, place, true)
    if (!place) break
    const task: Head | null = await db.tasks.findOne({ _id: place.task }, HEAD).lean()
    if (task && mayGo(task)) promoted.push(...(await promoteOf(db, { ...place, head: task }, limit - promoted.length)))
  }
  return promoted
}

/** What another promoter took meanwhile, and what a crashed planner left behind, is passed over. */
async function promoteOf(db: Db, place: Place & { head: Head }, limit: number): Promise<ChunkRef[]> {
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
    const { refs } = await promoteAll(db, await committed(db, rows), new Map([[place.task, place.head]]))
    promoted.push(...refs)
  }
  return promoted
}

/** Promotes these, each if the ledger lets it go by its task and nobody changed it; answers how many it tried, and who went. */
async function promoteAll(db: Db, rows: readonly Draft[], tasks: ReadonlyMap<number, Head>): Promise<Promoted> {
  const now = (await db.clock.now()).getTime()
  const swaps = rows.flatMap((row) => {
    const task = tasks.get(row.taskId)
    const going = task ? moved(row, (ledger) => after('promote', ledger, { now, task })) : []
    // That it belongs to its task is known from here on, so whoever claims it need not look at its range.
    return going.map(({ next }) => ({ row, next: { ...next, range: undefined } }))
  })
  const won = await swap(db, swaps)
  return { tried: swaps.length, refs: swaps.flatMap(({ next }, index) => (won[index] ? [toRef(next)] : [])) }
}

type Promoted = { tried: number; refs: ChunkRef[] }

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
  const heads = await headsOf(db, new Set(pairs.map((pair) => pair.task)))
  const bulk = new Set(pairs.filter(({ task }) => mayGo(heads.get(task))).map((pair) => pair.channel))
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
