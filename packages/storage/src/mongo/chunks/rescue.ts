import type { Channel, ChunkRef, Rescue } from '@fanfare/core'
import { trusted } from 'mongoose'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import { byIdsInOrder, rawOf } from '../rows.ts'
import type { ChunkDoc, WakeKind } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { isSending } from '../tasks/rows.ts'
import { chunkKey, DRAFT_FIELDS, type Draft, putFlags } from './rows.ts'
import { draftOf, swap } from './swap.ts'

type LostKind = Exclude<WakeKind, 'sync'>
type LostRow = Pick<
  ChunkDoc,
  '_id' | 'taskId' | 'seq' | 'gen' | 'channelId' | 'lane' | 'state' | 'range' | 'attempt' | 'wakeKind'
>
const LOST_FIELDS = {
  ...{ taskId: 1, seq: 1, gen: 1, channelId: 1, lane: 1, state: 1, range: 1, attempt: 1, wakeKind: 1 },
} as const

/** `wakeAt`: of planned chunks when they were planned, of deferred ones `nextAt`, of all others the lease. */
export async function lost(db: Db, graceMs: number, limit: number): Promise<Rescue[]> {
  const now = await db.clock.now()
  const kinds: [LostKind, Date][] = [
    ['lease', now],
    ['planned', later(now, -graceMs)],
    ['deferred', later(now, -graceMs)],
  ]
  const found = await Promise.all(kinds.map(([kind, before]) => lostOf(db, kind, before, limit)))
  return found.flat().slice(0, limit)
}

/** Chunks of tasks that are paused stand in the way of others: pages are read until enough are found. */
async function lostOf(db: Db, wakeKind: LostKind, before: Date, limit: number): Promise<Rescue[]> {
  const rescues: Rescue[] = []
  for (let skip = 0; rescues.length < limit; skip += limit) {
    const rows: LostRow[] = await db.chunks
      .find({ wakeKind, wakeAt: trusted({ $lt: before }) }, LOST_FIELDS)
      .sort({ wakeAt: 1 })
      .skip(skip)
      .limit(limit)
      .lean()
    rescues.push(...(await rescuable(db, rows)))
    if (rows.length < limit) break
  }
  return rescues
}

async function rescuable(db: Db, rows: readonly LostRow[]): Promise<Rescue[]> {
  if (rows.length === 0) return []
  const taskIds = [...new Set(rows.map((row) => row.taskId))]
  const channelIds = [...new Set(rows.map((row) => String(row.channelId ?? 0)))]
  const [tasks, channels] = await Promise.all([
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { state: 1 }).lean(),
    byIdsInOrder(db.channels, channelIds, (row): [number, Channel['platform']] => [row._id, row.platform]),
  ])
  const byTask = new Map(tasks.map((task) => [task._id, task]))
  const platforms = new Map(channels.filter((pair) => pair !== undefined))
  return (await committed(db, rows)).flatMap((row) => {
    const task = byTask.get(row.taskId)
    const platform = platforms.get(row.channelId ?? 0)
    if (!task || !platform || !isSending(task.state)) return []
    return [toRescue(row, platform)]
  })
}

const toRescue = (row: LostRow, platform: Channel['platform']): Rescue => ({
  taskId: String(row.taskId),
  seq: row.seq,
  gen: row.gen,
  platform,
  channelId: String(row.channelId),
  lane: row.lane,
  state: row.state,
  reason: row.wakeKind === 'planned' || row.wakeKind === 'deferred' ? row.wakeKind : 'lease',
})

export async function requeue(db: Db, refs: readonly ChunkRef[], leaseMs: number): Promise<ChunkRef[]> {
  const now = await db.clock.now()
  const rows = (await readRefs(db, refs)).filter((row) => row.lane !== 'sync' && row.wakeAt && row.wakeAt < now)
  const swaps = rows.map((row) => ({ row, next: requeued(row, later(now, leaseMs)) }))
  const won = await swap(db, swaps)
  return swaps.flatMap(({ next }, index) => (won[index] ? [toRef(next)] : []))
}

/** What was started stays so: a claim must know what may have reached the vendor. */
function requeued(row: Draft, leaseUntil: Date): Draft {
  const next = draftOf(row)
  next.gen++
  next.state = 'queued'
  next.leaseUntil = leaseUntil
  next.nextAt = undefined
  putFlags(next, leaseUntil)
  return next
}

export const toRef = ({ taskId, seq, gen }: Pick<Draft, 'taskId' | 'seq' | 'gen'>): ChunkRef => ({
  taskId: String(taskId),
  seq,
  gen,
})

/** The chunks that still have the `gen` of their ref. */
async function readRefs(db: Db, refs: readonly ChunkRef[]): Promise<Draft[]> {
  if (refs.length === 0) return []
  const gens = new Map(refs.map((ref) => [chunkKey(ref.taskId, ref.seq), ref.gen]))
  const rows = await db.chunks.find({ _id: trusted({ $in: [...gens.keys()] }) }, DRAFT_FIELDS).lean()
  return rows.filter((row) => row.gen === gens.get(row._id))
}

export async function park(db: Db, refs: readonly ChunkRef[]): Promise<boolean[]> {
  if (refs.length === 0) return []
  const gens = new Map(refs.map((ref) => [chunkKey(ref.taskId, ref.seq), ref.gen]))
  const found = await db.chunks.find({ _id: trusted({ $in: [...gens.keys()] }) }, DRAFT_FIELDS).lean<Draft[]>()
  const rows = found.filter(({ _id, gen, state, lane }) => {
    return gen >= (gens.get(_id) ?? 0) && (state === 'planned' || state === 'queued') && lane !== 'sync'
  })
  const taskIds = [...new Set(rows.map((row) => row.taskId))]
  const tasks = await db.tasks.find({ _id: trusted({ $in: taskIds }) }, { canary: 1 }).lean()
  const held = new Set(tasks.filter(({ canary }) => canary && canary.state !== 'passed').map((task) => task._id))
  const now = await db.clock.now()
  const swaps = rows.filter((row) => !held.has(row.taskId)).map((row) => ({ row, next: parked(row, now) }))
  await swap(db, swaps)
  const staying = new Set(rows.filter((row) => held.has(row.taskId)).map((row) => row._id))
  return refs.map((ref) => !staying.has(chunkKey(ref.taskId, ref.seq)))
}

function parked(row: Draft, now: Date): Draft {
  const next = draftOf(row)
  next.gen++
  next.state = 'waiting'
  next.leaseUntil = undefined
  putFlags(next, now)
  return next
}

/** Moves only the sweeper's instant: a claim must still find the lease as passed as it is. */
export async function stillQueued(db: Db, refs: readonly ChunkRef[], leaseMs: number): Promise<void> {
  if (refs.length === 0) return
  const wakeAt = later(await db.clock.now(), leaseMs)
  const steps = refs.map(({ taskId, seq, gen }) => ({
    updateOne: {
      filter: { _id: chunkKey(taskId, seq), gen, wakeAt: { $lt: wakeAt }, wakeKind: { $ne: 'sync' as const } },
      update: { $set: { wakeAt } },
    },
  }))
  await rawOf(db.chunks).bulkWrite(steps, { ordered: false })
}
