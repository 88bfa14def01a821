import type { Chunk, ChunkStore } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { ChunkDoc } from '../schemas.ts'
import { committed } from '../tasks/ranges.ts'
import { claim } from './claim.ts'
import { endSingles } from './leftover.ts'
import { lost, park, requeue, stillQueued } from './rescue.ts'
import { chunkKey, toChunk } from './rows.ts'
import { abandonSync, bury, cancel, expire, removeOrphans } from './sweep.ts'
import { backlog, openSingles, promote } from './window.ts'
import { write } from './write.ts'

export function chunkStore(db: Db): ChunkStore {
  return {
    claim: (refs, leaseMs, firstWindow) => claim(db, refs, { leaseMs, firstWindow }),
    write: (writes) => write(db, writes),
    byRefs: (refs) => byRefs(db, refs),
    ofTask: (taskId, query) => ofTask(db, Number(taskId), query),
    lost: (graceMs, limit) => lost(db, graceMs, limit),
    requeue: (refs, leaseMs) => requeue(db, refs, leaseMs),
    stillQueued: (refs, leaseMs) => stillQueued(db, refs, leaseMs),
    promote: (channelId, limit, lane) => promote(db, channelId, limit, lane),
    park: (refs) => park(db, refs),
    openSingles: (appId, most) => openSingles(db, appId, most),
    backlog: (limit, after) => backlog(db, limit, after),
    expire: (limit) => expire(db, limit),
    abandonSync: (limit) => abandonSync(db, limit),
    bury: (maxStarts, limit) => bury(db, maxStarts, limit),
    cancel: (taskId) => cancel(db, taskId),
    removeOrphans: async (limit) => (await removeOrphans(db, limit)) + (await endSingles(db, limit)),
  }
}

/** Chunks that do not belong to a task (yet) are not there. */
async function byRefs(db: Db, refs: readonly { taskId: string; seq: number }[]): Promise<(Chunk | undefined)[]> {
  if (refs.length === 0) return []
  const keys = refs.map(({ taskId, seq }) => chunkKey(taskId, seq))
  const taskIds = [...new Set(refs.map(({ taskId }) => Number(taskId)))]
  const [rows, tasks] = await Promise.all([
    db.chunks.find({ _id: trusted({ $in: [...new Set(keys)] }) }).lean(),
    db.tasks.find({ _id: trusted({ $in: taskIds }) }, { _id: 1 }).lean(),
  ])
  const there = new Set(tasks.map((task) => task._id))
  const mine = await committed(db, rows)
  const known = new Map(mine.filter((row) => there.has(row.taskId)).map((row) => [row._id, row]))
  return keys.map((key) => {
    const row = known.get(key)
    return row && toChunk(row)
  })
}

/** A page is filled although rows that a crashed planner left behind are passed over. */
async function ofTask(db: Db, taskId: number, query: { afterSeq?: number; limit: number }): Promise<Chunk[]> {
  const task = await db.tasks.exists({ _id: taskId }).lean()
  const chunks: Chunk[] = []
  let after = query.afterSeq ?? -1
  while (task && chunks.length < query.limit) {
    const rows: ChunkDoc[] = await db.chunks
      .find({ taskId, seq: trusted({ $gt: after }) })
      .sort({ seq: 1 })
      .limit(query.limit)
      .lean()
    for (const row of await committed(db, rows)) if (chunks.length < query.limit) chunks.push(toChunk(row))
    if (rows.length < query.limit) break
    after = rows.at(-1)?.seq ?? after
  }
  return chunks
}
