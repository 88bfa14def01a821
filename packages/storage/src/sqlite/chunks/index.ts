import type { Chunk, ChunkStore } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { claim } from './claim.ts'
import { endSingles } from './leftover.ts'
import { lost, park, requeue, stillQueued } from './rescue.ts'
import { type ChunkRow, chunkColumns, toChunk } from './rows.ts'
import { abandonSync, bury, cancel, expire } from './sweep.ts'
import { backlog, openSingles, promote } from './window.ts'
import { write } from './write.ts'

export function chunkStore(db: Db): ChunkStore {
  return {
    claim: (refs, leaseMs, firstWindow) => claim(db, refs, { leaseMs, firstWindow }),
    write: (writes) => write(db, writes),
    byRefs: (refs) => db.read(() => byRefs(db, refs)),
    ofTask: (taskId, query) => db.read(() => ofTask(db, taskId, query)),
    lost: (graceMs, limit) => db.read(() => lost(db, graceMs, limit)),
    requeue: (refs, leaseMs) => requeue(db, refs, leaseMs),
    stillQueued: (refs, leaseMs) => stillQueued(db, refs, leaseMs),
    promote: (channelId, limit, lane) => promote(db, channelId, limit, lane),
    park: (refs) => park(db, refs),
    openSingles: (appId, most) => db.read(() => openSingles(db, appId, most)),
    backlog: (limit, after) => db.read(() => backlog(db, limit, after)),
    expire: (limit) => expire(db, limit),
    abandonSync: (limit) => abandonSync(db, limit),
    bury: (maxStarts, limit) => bury(db, maxStarts, limit),
    cancel: (taskId) => cancel(db, taskId),
    /** A chunk is written in one transaction with its task. */
    removeOrphans: (limit) => endSingles(db, limit),
  }
}

const BY_REFS = `
  select json_group_array(json_array(j.key, ${chunkColumns('c')})) from json_each(?) j
  cross join chunks c on c.task = j.value ->> 0 and c.seq = j.value ->> 1`

function byRefs(db: Db, refs: readonly { taskId: string; seq: number }[]): (Chunk | undefined)[] {
  const answer: (Chunk | undefined)[] = refs.map(() => undefined)
  const asked = JSON.stringify(refs.map(({ taskId, seq }) => [toKey(taskId), seq]))
  for (const [index, row] of db.json<[number, ChunkRow][]>(BY_REFS, [asked])) answer[index] = toChunk(row)
  return answer
}

const OF_TASK = `
  select json_group_array(${chunkColumns('c')}) from (
    select * from chunks where task = ? and seq > ? order by seq limit ?) c`

function ofTask(db: Db, taskId: string, query: { afterSeq?: number; limit: number }): Chunk[] {
  const rows = db.json<ChunkRow[]>(OF_TASK, [toKey(taskId), query.afterSeq ?? -1, query.limit])
  return rows.map(toChunk).sort((a, b) => a.seq - b.seq)
}
