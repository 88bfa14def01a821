import type { ChunkRef, PlatformName } from '@fanfare/core'
import { toRef } from './chunk-rescue.ts'
import type { Db, Row } from './db.ts'
import { toKey } from './db.ts'

/** Tasks that may have chunks promoted: being sent, and no canary that runs or was held. */
const MAY_GO = `
  select 1 from tasks where id = ? and state in (1, 2) and (canary is null or canary ->> 'state' = 'passed')`
export const NEXT_TASK = 'select min(task) from chunks where state = 0 and channel = ? and task > ?'
const PROMOTE = `
  update chunks set state = 1, due_at = ?4 where state = 0 and channel = ?1 and task = ?2 and seq in (
    select seq from chunks where state = 0 and channel = ?1 and task = ?2 order by seq limit ?3)
  returning task, seq, gen`

/** Steps from task to task, so that the waiting chunks of a paused one are not read. */
export function promote(db: Db, channelId: string, limit: number): Promise<ChunkRef[]> {
  const channel = toKey(channelId)
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

type Backlog = { channelId: string; appId: string; platform: PlatformName; open: number }

export const NEXT_CHANNEL = 'select min(channel) from chunks where state = 0 and channel > ?'
const WINDOW = `
  select h.id, h.app, h.platform,
    (select count(*) from chunks c where c.channel = h.id and c.lane = 2 and c.state between 1 and 3)
  from channels h where h.id = ?`

/** Jumps through the index from channel to channel and from task to task: the chunks themselves are not read. */
export function backlog(db: Db, limit: number, after = '0'): Backlog[] {
  const found: Backlog[] = []
  let channel = next(db, NEXT_CHANNEL, [toKey(after)])
  while (channel !== undefined && found.length < limit) {
    const [row] = hasTaskToGo(db, channel) ? db.all(WINDOW, [channel]) : []
    if (row) found.push(toBacklog(row))
    channel = next(db, NEXT_CHANNEL, [channel])
  }
  return found
}

function hasTaskToGo(db: Db, channel: number): boolean {
  let task = next(db, NEXT_TASK, [channel, 0])
  while (task !== undefined && !mayGo(db, task)) task = next(db, NEXT_TASK, [channel, task])
  return task !== undefined
}

const toBacklog = ([channel, app, platform, open]: Row): Backlog => ({
  channelId: String(channel),
  appId: String(app),
  platform: String(platform) as PlatformName,
  open: Number(open),
})

const mayGo = (db: Db, task: number): boolean => db.all(MAY_GO, [task]).length > 0

/** The value of a `select min(…)`, undefined where there is none. */
export function next(db: Db, sql: string, params: Row): number | undefined {
  const value = db.all(sql, params)[0]?.[0]
  return value === null || value === undefined ? undefined : Number(value)
}
