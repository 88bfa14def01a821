import { type ChunkRef, type ChunkState, FIELD_MOVES, type PlatformName, type Rescue } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { CHUNK_STATES, LANES } from './rows.ts'
import { setSql } from './save.ts'

type LostRow = [
  task: number,
  seq: number,
  gen: number,
  platform: string,
  channel: number,
  lane: number,
  state: number,
  nextAt: number | null,
]

/** `due_at`: of planned chunks when they were planned, of deferred ones `next_at`, of all others the lease. */
const LOST = `
  select json_group_array(json_array(task, seq, gen, platform, channel, lane, state, next_at)) from (
    select c.task, c.seq, c.gen, n.platform, c.channel, c.lane, c.state, c.next_at
    from chunks c indexed by chunks_due
    cross join tasks t on t.id = c.task
    cross join channels n on n.id = c.channel
    where c.state between 1 and 3 and c.due_at < ?1 and c.lane > 0 and t.state in (1, 2)
      and (c.due_at < ?1 - ?2 or c.state > 1 and c.next_at is null)
    order by c.due_at limit ?3)`

export function lost(db: Db, graceMs: number, limit: number): Rescue[] {
  const rows = db.json<LostRow[]>(LOST, [db.now(), graceMs, limit])
  return rows.map(([task, seq, gen, platform, channel, lane, state, nextAt]) => ({
    taskId: String(task),
    seq,
    gen,
    platform: platform as PlatformName,
    channelId: String(channel),
    lane: LANES[lane] ?? 'bulk',
    ...reasonOf(CHUNK_STATES[state] ?? 'queued', nextAt),
  }))
}

const reasonOf = (state: ChunkState, nextAt: number | null): Pick<Rescue, 'state' | 'reason'> => ({
  state,
  reason: state === 'planned' ? 'planned' : state === 'sending' || nextAt === null ? 'lease' : 'deferred',
})

const refsJson = (refs: readonly ChunkRef[]): string =>
  JSON.stringify(refs.map(({ taskId, seq, gen }) => [toKey(taskId), seq, gen]))

const SAME_CHUNK = 'task = j.value ->> 0 and seq = j.value ->> 1 and gen = j.value ->> 2'
const REQUEUE = `
  update chunks set ${setSql(FIELD_MOVES.requeue, { lease: '?3' })}
  from json_each(?1) j
  where ${SAME_CHUNK} and lane > 0 and state between 1 and 3 and due_at < ?2
  returning task, seq, gen`

export async function requeue(db: Db, refs: readonly ChunkRef[], leaseMs: number): Promise<ChunkRef[]> {
  if (refs.length === 0) return []
  const asked = refsJson(refs)
  return db.write(() => {
    const now = db.now()
    return db.all(REQUEUE, [asked, now, now + leaseMs]).map(toRef)
  })
}

export const toRef = (row: readonly unknown[]): ChunkRef => ({
  taskId: String(row[0]),
  seq: Number(row[1]),
  gen: Number(row[2]),
})

const MAY_WAIT = `
  exists (select 1 from tasks t where t.id = chunks.task and (t.canary is null or t.canary ->> 'state' = 'passed'))`
const PARKABLE =
  'task = j.value ->> 0 and seq = j.value ->> 1 and gen >= j.value ->> 2 and lane > 0 and state in (1, 2)'
const PARK = `
  update chunks set ${setSql(FIELD_MOVES.park, {})} from json_each(?1) j
  where ${PARKABLE} and ${MAY_WAIT}`
const STAYING = `select j.key from json_each(?1) j cross join chunks on ${PARKABLE}`

export async function park(db: Db, refs: readonly ChunkRef[]): Promise<boolean[]> {
  if (refs.length === 0) return []
  const asked = refsJson(refs)
  return db.write(() => {
    db.run(PARK, [asked])
    const staying = new Set(db.all(STAYING, [asked]).map(([index]) => Number(index)))
    return refs.map((_, index) => !staying.has(index))
  })
}

/** Moves only the sweeper's instant: a claim must still find the lease as passed as it is. */
const STILL_QUEUED = `
  update chunks set due_at = max(due_at, ?2) from json_each(?1) j
  where ${SAME_CHUNK} and lane > 0 and state between 1 and 3`

export async function stillQueued(db: Db, refs: readonly ChunkRef[], leaseMs: number): Promise<void> {
  if (refs.length === 0) return
  const asked = refsJson(refs)
  await db.write(() => db.run(STILL_QUEUED, [asked, db.now() + leaseMs]))
}
