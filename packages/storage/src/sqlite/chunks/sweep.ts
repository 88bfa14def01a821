import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { end, NOT_BEING_SENT, OPEN_COLUMNS } from './end.ts'
import { endWaiting, NO_NOTIFIER } from './leftover.ts'
import { DEAD, DONE } from './rows.ts'

const expiredOf = (lanes: string): string => `
    select c.task, c.seq, c.outcomes, c.reasons from tasks t
    cross join chunks c on c.task = t.id and ${lanes} and c.state < 4
    where t.state < 4 and t.expires_at <= ?1 and ${NOT_BEING_SENT}`
/** Two branches, because only chunks of bulk tasks have an index of the open ones. */
const EXPIRED = `
  select ${OPEN_COLUMNS} from (
    ${expiredOf('c.lane = 2')} union all ${expiredOf('c.lane < 2 and t.lane < 2')} limit ?2)`
/** Chunks of tasks that ended meanwhile, e.g. cancelled while a worker had them and died. */
const LEFT_OVER = `
  select ${OPEN_COLUMNS} from (
    select c.task, c.seq, c.outcomes, c.reasons from chunks c indexed by chunks_due
    cross join tasks t on t.id = c.task
    where c.state between 1 and 3 and c.due_at < ?1 and t.state > 3 and ${NOT_BEING_SENT} limit ?2)`

/** Chunks whose channel was removed: nothing can be sent through it. */
const NO_CHANNEL = `
  select ${OPEN_COLUMNS} from (
    select c.task, c.seq, c.outcomes, c.reasons from chunks c indexed by chunks_due
    where c.state between 1 and 3 and c.due_at < ?1 and ${NOT_BEING_SENT}
      and not exists (select 1 from channels n where n.id = c.channel) limit ?2)`

export async function expire(db: Db, limit: number): Promise<number> {
  const expired = await end(db, EXPIRED, [limit], { outcome: 'expired', state: DONE })
  const cancelled = await end(db, LEFT_OVER, [limit], { outcome: 'cancelled', state: DONE })
  const unreachable = await end(db, NO_CHANNEL, [limit], { outcome: 'rejected', reason: NO_NOTIFIER, state: DONE })
  return expired + cancelled + unreachable + (await endWaiting(db, limit))
}

const ABANDONED = `
  select ${OPEN_COLUMNS} from (
    select c.task, c.seq, c.outcomes, c.reasons from chunks c indexed by chunks_due
    where c.state between 1 and 3 and c.due_at < ?1 and c.lane = 0 limit ?2)`

export const abandonSync = (db: Db, limit: number): Promise<number> =>
  end(db, ABANDONED, [limit], { outcome: 'unknown', reason: 'abandoned', state: DONE })

const POISON = `
  select ${OPEN_COLUMNS} from (
    select c.task, c.seq, c.outcomes, c.reasons from chunks c indexed by chunks_due
    where c.state between 1 and 3 and c.due_at < ?1 and c.starts > ?2 and c.lane > 0 and ${NOT_BEING_SENT} limit ?3)`

export const bury = (db: Db, maxStarts: number, limit: number): Promise<number> =>
  end(db, POISON, [maxStarts, limit], { outcome: 'unknown', reason: 'poison', state: DEAD })

/** Chunks ended under one write lock. */
const CANCEL_STEP = 100
const openOf = (lanes: string): string => `
    select c.task, c.seq, c.outcomes, c.reasons from tasks t
    cross join chunks c on c.task = t.id and ${lanes} and c.state < 4
    where t.id = ?2 and ${NOT_BEING_SENT}`
const CANCELLED = `
  select ${OPEN_COLUMNS} from (
    ${openOf('c.lane = 2')} union all ${openOf('c.lane < 2 and t.lane < 2')} limit ${CANCEL_STEP})`

export async function cancel(db: Db, taskId: string): Promise<number> {
  let chunks = 0
  for (;;) {
    const ended = await end(db, CANCELLED, [toKey(taskId)], { outcome: 'cancelled', state: DONE })
    chunks += ended
    if (ended < CANCEL_STEP) return chunks
  }
}
