import { after, type ChunkRef, type ChunkState, type Claimed } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { ChunkDoc, TaskDoc } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { toTask } from '../tasks/rows.ts'
import { chunkKey, toChunk } from './rows.ts'
import { moved, type Swap, swap } from './swap.ts'

type Terms = { leaseMs: number; firstWindow: number }
type Candidate = Swap<ChunkDoc> & { task: TaskDoc }

/** Reads tasks and chunks, decides, and swaps: two round trips for a whole list. The task comes without its plan. */
export async function claim(db: Db, refs: readonly ChunkRef[], terms: Terms): Promise<(Claimed | undefined)[]> {
  if (refs.length === 0) return []
  const wanted = new Map(refs.map((ref) => [chunkKey(ref.taskId, ref.seq), ref]))
  const candidates = await claimable(db, wanted, terms)
  const won = await swap(db, candidates)
  const claimed = new Map<string, Claimed>()
  candidates.forEach(({ next, task }, index) => {
    if (won[index] && next.state === 'sending') claimed.set(next._id, { chunk: toChunk(next), task: toTask(task) })
  })
  return refs.map((ref) => {
    const key = chunkKey(ref.taskId, ref.seq)
    const mine = claimed.get(key)
    claimed.delete(key)
    return mine
  })
}

/** Jobs of chunks that are long done need not read their members. */
const TAKEN_IN: ChunkState[] = ['planned', 'queued', 'sending']

async function claimable(db: Db, wanted: ReadonlyMap<string, ChunkRef>, terms: Terms): Promise<Candidate[]> {
  const now = (await db.clock.now()).getTime()
  const taskIds = [...new Set([...wanted.values()].map((ref) => Number(ref.taskId)))]
  const [found, tasks] = await Promise.all([
    db.chunks.find({ _id: trusted({ $in: [...wanted.keys()] }), state: trusted({ $in: TAKEN_IN }) }).lean(),
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { plan: 0 }).lean(),
  ])
  const rows = await committed(db, found)
  const byId = new Map(tasks.map((task) => [task._id, task]))
  return rows.flatMap((row) => {
    const task = byId.get(row.taskId)
    const ref = wanted.get(row._id)
    if (!task || !ref) return []
    const swaps = moved(row, (ledger) => after('claim', ledger, { now, task, gen: ref.gen, ...terms }))
    return swaps.map((one) => ({ ...one, task }))
  })
}
