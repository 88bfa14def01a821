import { afterWrite, type ChunkWrite, type LedgerRow, type TaskFacts } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import { chunkKey, DRAFT_FIELDS, type Draft, toLedger, withLedger } from './rows.ts'
import { swap } from './swap.ts'

/** A chunk between reading and writing. */
type Open = { row: Draft; before: LedgerRow; next: LedgerRow; task: TaskFacts | undefined }
type Asked = { item: ChunkWrite; index: number }

/** A chunk that somebody changed between reading and writing is read again this often; then its writer is told to stop. */
const TRIES = 8

/** Reads, applies the writes of each chunk in their order, and swaps: two round trips for a whole list. */
export async function write(db: Db, writes: readonly ChunkWrite[]): Promise<boolean[]> {
  const answers = writes.map(() => false)
  let open: Asked[] = writes.map((item, index) => ({ item, index }))
  for (let tries = 0; open.length > 0 && tries < TRIES; tries++) {
    const lost = await attempt(db, open, answers)
    open = open.filter(({ item }) => lost.has(chunkKey(item.taskId, item.seq)))
    for (const { index } of open) answers[index] = false
  }
  return answers
}

/** Puts the answers in their places; those of the chunks it answers with are void, somebody else changed these. */
async function attempt(db: Db, asked: readonly Asked[], answers: boolean[]): Promise<Set<string>> {
  const now = (await db.clock.now()).getTime()
  const chunks = await read(
    db,
    asked.map(({ item }) => item),
  )
  const changed = new Set<Open>()
  for (const { item, index } of asked) {
    const chunk = chunks.get(chunkKey(item.taskId, item.seq))
    const written = chunk?.task && afterWrite(chunk.next, { now, task: chunk.task, write: item })
    if (!chunk || !written) continue
    chunk.next = written.row
    changed.add(chunk)
    answers[index] = written.goesOn
  }
  const swaps = Array.from(changed, ({ row, before, next }) => ({ row, next: withLedger(row, before, next) }))
  const won = await swap(db, swaps)
  return new Set(swaps.flatMap(({ row }, index) => (won[index] ? [] : row._id)))
}

async function read(db: Db, writes: readonly ChunkWrite[]): Promise<Map<string, Open>> {
  const keys = [...new Set(writes.map(({ taskId, seq }) => chunkKey(taskId, seq)))]
  const ids = [...new Set(writes.map(({ taskId }) => Number(taskId)))]
  const [rows, tasks] = await Promise.all([
    db.chunks.find({ _id: trusted({ $in: keys }) }, DRAFT_FIELDS).lean<Draft[]>(),
    db.tasks.find({ _id: trusted({ $in: ids }) }, { state: 1 }).lean(),
  ])
  const byId = new Map(tasks.map((task) => [task._id, task]))
  const opened = rows.map((row): [string, Open] => {
    const before = toLedger(row)
    return [row._id, { row, before, next: before, task: byId.get(row.taskId) }]
  })
  return new Map(opened)
}
