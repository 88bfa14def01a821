import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { end, FOUND, NOT_BEING_SENT } from './end.ts'
import { endWaiting } from './leftover.ts'

/** Two branches, because only chunks of bulk tasks have an index of the open ones. */
const openOf = (lanes: string, tasks: string): string => `
  select ${FOUND} from tasks t cross join chunks c on c.task = t.id and ${lanes} and c.state < 4
  where ${tasks} and ${NOT_BEING_SENT}`
const allOpenOf = (tasks: string): string => `
  ${openOf('c.lane = 2', tasks)} union all ${openOf('c.lane < 2 and t.lane < 2', tasks)}`
/** What the sweeper should have seen the end of. */
const due = (which: string): string => `
  select ${FOUND} from chunks c indexed by chunks_due cross join tasks t on t.id = c.task
  where c.state between 1 and 3 and c.due_at < ?1 and ${which}`

const EXPIRED = `${allOpenOf('t.state < 4 and t.expires_at <= ?1')} limit ?2`
/** Chunks of tasks that ended meanwhile, e.g. cancelled while a worker had them and died. */
const LEFT_OVER = `${due(`c.lane > 0 and t.state > 3 and ${NOT_BEING_SENT}`)} limit ?2`
/** Chunks whose channel was removed: nothing can be sent through it. */
const NO_CHANNEL = `
  ${due(`c.lane > 0 and ${NOT_BEING_SENT} and not exists (select 1 from channels n where n.id = c.channel)`)} limit ?2`

export async function expire(db: Db, limit: number): Promise<number> {
  const expired = await end(db, EXPIRED, [limit], { events: ['expire'] })
  const left = await end(db, LEFT_OVER, [limit], { events: ['taskOver'] })
  const gone = { events: ['taskOver', 'channelGone'], given: { isChannelGone: true } } as const
  const unreachable = await end(db, NO_CHANNEL, [limit], gone)
  return expired + left + unreachable + (await endWaiting(db, limit))
}

const ABANDONED = `${due('c.lane = 0')} limit ?2`

export const abandonSync = (db: Db, limit: number): Promise<number> =>
  end(db, ABANDONED, [limit], { events: ['abandon'] })

const POISON = `${due('c.starts > ?2 and c.lane > 0 and c.state > 1')} limit ?3`

export const bury = (db: Db, maxStarts: number, limit: number): Promise<number> =>
  end(db, POISON, [maxStarts, limit], { events: ['bury'], given: { maxStarts } })

/** Chunks ended under one write lock. */
const CANCEL_STEP = 100
const OPEN = `${allOpenOf('t.id = ?2')} limit ${CANCEL_STEP}`

export async function cancel(db: Db, taskId: string): Promise<number> {
  let chunks = 0
  for (;;) {
    const ended = await end(db, OPEN, [toKey(taskId)], { events: ['cancel'] })
    chunks += ended
    if (ended < CANCEL_STEP) return chunks
  }
}
