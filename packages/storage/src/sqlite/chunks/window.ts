import { type BacklogRow, type ChunkRef, FIELD_MOVES, type PlatformName, type WaitingLane } from '@fanfare/core'
import type { Db, Row } from '../db.ts'
import { toKey } from '../db.ts'
import { toRef } from './rescue.ts'
import { setSql } from './save.ts'

/** Tasks that may have chunks promoted: being sent, and no canary that runs or was held. */
const MAY_GO = `
  select 1 from tasks where id = ? and state in (1, 2) and (canary is null or canary ->> 'state' = 'passed')`
export const NEXT_TASK = 'select min(task) from chunks where state = 0 and channel = ? and lane = 2 and task > ?'
const PROMOTE = `
  update chunks set ${setSql(FIELD_MOVES.promote, { now: '?4' })} where state = 0 and channel = ?1 and lane = 2 and task = ?2 and seq in (
    select seq from chunks where state = 0 and channel = ?1 and lane = 2 and task = ?2 order by seq limit ?3)
  returning task, seq, gen`
/** Single pushes have a task each: what stands in the way is passed over in one statement. */
const SINGLES_TO_GO = `
  from chunks c cross join tasks t on t.id = c.task
  where c.state = 0 and c.channel = ?1 and c.lane = 1 and t.state in (1, 2)`
const PROMOTE_SINGLES = `
  update chunks set ${setSql(FIELD_MOVES.promote, { now: '?3' })} where rowid in (
    select c.rowid ${SINGLES_TO_GO} order by c.task, c.seq limit ?2)
  returning task, seq, gen`

const byTask = (a: ChunkRef, b: ChunkRef): number => Number(a.taskId) - Number(b.taskId) || a.seq - b.seq

export function promote(db: Db, channelId: string, limit: number, lane: WaitingLane = 'bulk'): Promise<ChunkRef[]> {
  const channel = toKey(channelId)
  if (lane === 'bulk') return promoteBulk(db, channel, limit)
  return db.write(() => db.all(PROMOTE_SINGLES, [channel, limit, db.now()]).map(toRef).sort(byTask))
}

/** Steps from task to task, so that the waiting chunks of a paused one are not read. */
function promoteBulk(db: Db, channel: number, limit: number): Promise<ChunkRef[]> {
  return db.write(() => {
    const promoted: ChunkRef[] = []
    let task = next(db, NEXT_TASK, [channel, 0])
    while (task !== undefined && promoted.length < limit) {
      if (mayGo(db, task)) {
        const rows = db.all(PROMOTE, [channel, task, limit - promoted.length, db.now()])
        promoted.push(...rows.map(toRef).sort((a, b) => a.seq - b.seq))
      }
      task = next(db, NEXT_TASK, [channel, task])
    }
    return promoted
  })
}

export const NEXT_CHANNEL = 'select min(channel) from chunks where state = 0 and channel > ?'
const WINDOW = `
  select h.id, h.app, h.platform,
    (select count(*) from chunks c where c.channel = h.id and c.lane = 2 and c.state between 1 and 3),
    exists (select 1 ${SINGLES_TO_GO})
  from channels h where h.id = ?1`

/** Jumps through the index from channel to channel and from task to task: the chunks themselves are not read. */
export function backlog(db: Db, limit: number, after = '0'): BacklogRow[] {
  const found: BacklogRow[] = []
  let channel = next(db, NEXT_CHANNEL, [toKey(after)])
  while (channel !== undefined && found.length < limit) {
    const [row] = db.all(WINDOW, [channel])
    const known = row && toBacklog(row, hasTaskToGo(db, channel))
    if (known?.bulk || known?.single) found.push(known)
    channel = next(db, NEXT_CHANNEL, [channel])
  }
  return found
}

function hasTaskToGo(db: Db, channel: number): boolean {
  let task = next(db, NEXT_TASK, [channel, 0])
  while (task !== undefined && !mayGo(db, task)) task = next(db, NEXT_TASK, [channel, task])
  return task !== undefined
}

const toBacklog = ([channel, app, platform, open, singles]: Row, bulk: boolean): BacklogRow => ({
  channelId: String(channel),
  appId: String(app),
  platform: String(platform) as PlatformName,
  open: Number(open),
  single: Number(singles) === 1,
  bulk,
})

const mayGo = (db: Db, task: number): boolean => db.all(MAY_GO, [task]).length > 0

/** The value of a `select min(…)`, undefined where there is none. */
export function next(db: Db, sql: string, params: Row): number | undefined {
  const value = db.all(sql, params)[0]?.[0]
  return value === null || value === undefined ? undefined : Number(value)
}

const OPEN_SINGLES = `
  select
    (select count(*) from (
      select 1 from chunks indexed by chunks_due where state between 1 and 3 and lane = 1 and app = ?1 limit ?2)) +
    (select count(*) from (
      select 1 from channels h cross join chunks c on c.channel = h.id and c.lane = 1 and c.state = 0
      where h.app = ?1 limit ?2))`

/** From two indexes alone: of what waits by the app's channels, of what does not among that of all apps. */
export const openSingles = (db: Db, appId: string, most: number): number =>
  Math.min(most, Number(db.all(OPEN_SINGLES, [toKey(appId), most])[0]?.[0]))
