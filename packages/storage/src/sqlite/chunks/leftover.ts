import type { Db } from '../db.ts'
import { type Ending, end, FOUND } from './end.ts'
import { NEXT_CHANNEL, NEXT_TASK, next } from './window.ts'

const LEFT: Ending = { events: ['taskOver', 'channelGone'] }
const LEFT_WITHOUT_CHANNEL: Ending = { ...LEFT, given: { isChannelGone: true } }

const CHANNEL = 'select 1 from channels where id = ?'
const ENDED = 'select 1 from tasks where id = ? and state > 3'
const OF_CHANNEL = `
  select ${FOUND} from chunks c cross join tasks t on t.id = c.task
  where c.state = 0 and c.channel = ?2 and ?1 > 0 limit ?3`
const OF_TASK = `
  select ${FOUND} from chunks c cross join tasks t on t.id = c.task
  where c.state = 0 and c.channel = ?2 and ?1 > 0 and c.lane = 2 and c.task = ?4 limit ?3`
const SINGLES_ENDED = `
  select ${FOUND} from chunks c cross join tasks t on t.id = c.task
  where c.state = 0 and c.channel = ?2 and ?1 > 0 and c.lane = 1 and t.state > 3 limit ?3`

/**
 * Ends waiting chunks that nobody will promote: of removed channels, and of tasks that were cancelled by a process that
 * died before it cancelled the chunks. Jumps through the index of waiting chunks, so it is cheap where there are none.
 */
export async function endWaiting(db: Db, limit: number): Promise<number> {
  let ended = 0
  let channel = await db.read(() => next(db, NEXT_CHANNEL, [0]))
  while (channel !== undefined) {
    ended += await endOfChannel(db, channel, limit)
    const after = channel
    channel = await db.read(() => next(db, NEXT_CHANNEL, [after]))
  }
  return ended
}

async function endOfChannel(db: Db, channel: number, limit: number): Promise<number> {
  if ((await db.read(() => db.all(CHANNEL, [channel]))).length === 0) {
    return end(db, OF_CHANNEL, [channel, limit], LEFT_WITHOUT_CHANNEL)
  }
  let ended = 0
  for (const task of await db.read(() => endedTasks(db, channel))) {
    ended += await end(db, OF_TASK, [channel, limit, task], LEFT)
  }
  return ended
}

function endedTasks(db: Db, channel: number): number[] {
  const found: number[] = []
  let task = next(db, NEXT_TASK, [channel, 0])
  while (task !== undefined) {
    if (db.all(ENDED, [task]).length > 0) found.push(task)
    task = next(db, NEXT_TASK, [channel, task])
  }
  return found
}

/** Single pushes have a task each, so each of them is looked at: seldom. */
export async function endSingles(db: Db, limit: number): Promise<number> {
  let ended = 0
  let channel = await db.read(() => next(db, NEXT_CHANNEL, [0]))
  while (channel !== undefined) {
    ended += await end(db, SINGLES_ENDED, [channel, limit], LEFT)
    const after = channel
    channel = await db.read(() => next(db, NEXT_CHANNEL, [after]))
  }
  return ended
}
