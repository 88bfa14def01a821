import { after, type Channel, type ChunkRef, type Rescue, type TaskFacts } from '@fanfare/core'
import { trusted } from 'mongoose'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import { byIdsInOrder, rawOf } from '../rows.ts'
import type { ChunkDoc, WakeKind } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { isSending } from '../tasks/rows.ts'
import { chunkKey, DRAFT_FIELDS, type Draft } from './rows.ts'
import { moved, type Swap, swap } from './swap.ts'

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
  const now = (await db.clock.now()).getTime()
  const swaps = (await readRefs(db, refs)).flatMap(({ row, gen }) =>
    moved(row, (ledger) => after('requeue', ledger, { now, gen, leaseMs })),
  )
  const won = await swap(db, swaps)
  return swaps.flatMap(({ next }, index) => (won[index] ? [toRef(next)] : []))
}

export const toRef = ({ taskId, seq, gen }: Pick<Draft, 'taskId' | 'seq' | 'gen'>): ChunkRef => ({
  taskId: String(taskId),
  seq,
  gen,
})

/** The chunks that are there, each with the generation its ref names. */
async function readRefs(db: Db, refs: readonly ChunkRef[]): Promise<{ row: Draft; gen: number }[]> {
  if (refs.length === 0) return []
  const gens = new Map(refs.map((ref) => [chunkKey(ref.taskId, ref.seq), ref.gen]))
  const rows = await db.chunks.find({ _id: trusted({ $in: [...gens.keys()] }) }, DRAFT_FIELDS).lean<Draft[]>()
  return rows.map((row) => ({ row, gen: gens.get(row._id) ?? 0 }))
}

export async function park(db: Db, refs: readonly ChunkRef[]): Promise<boolean[]> {
  const rows = await readRefs(db, refs)
  const taskIds = [...new Set(rows.map(({ row }) => row.taskId))]
  const tasks = await db.tasks.find({ _id: trusted({ $in: taskIds }) }, { state: 1, canary: 1 }).lean()
  const byId = new Map(tasks.map((task) => [task._id, task]))
  const now = (await db.clock.now()).getTime()
  const parked = (row: Draft, gen: number, task: TaskFacts): Swap[] =>
    moved(row, (ledger) => after('park', ledger, { now, gen, task }))
  const swaps: Swap[] = []
  const staying = new Set<string>()
  for (const { row, gen } of rows) {
    const task = byId.get(row.taskId)
    const own = task ? parked(row, gen, task) : []
    swaps.push(...own)
    // Its canary alone holds it back.
    if (task && own.length === 0 && parked(row, gen, { state: task.state }).length > 0) staying.add(row._id)
  }
  await swap(db, swaps)
  return refs.map((ref) => !staying.has(chunkKey(ref.taskId, ref.seq)))
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
