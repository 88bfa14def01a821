import type { NewChunk, PlanRange, Task } from '@fanfare/core'
import { LANES } from '../chunks/rows.ts'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { chunkRow, insertChunks } from './create.ts'
import { PLAN_TEXT, putRange, rangeOf } from './plan-rows.ts'
import { hasOpenChunk, stateCode, type TaskRow, taskColumns, toTask } from './rows.ts'

type PlannedPage = { chunks: readonly NewChunk[]; cursor: string; done: boolean }

/** Chunks and cursor in one transaction. */
export function addPlanned(
  db: Db,
  step: { id: string; rangeIndex: number; from: string; page: PlannedPage },
): Promise<boolean> {
  return db.write(() => {
    const task = toKey(step.id)
    const known = rangeOf(db, task, step.rangeIndex)
    if (!known || known.state >= stateCode('done')) return false
    const { range } = known
    if (range.done || range.cursor !== step.from) return false
    const owner = { id: step.id, appId: known.appId, lane: LANES[known.lane] ?? 'bulk' }
    const defaults = { now: db.now(), state: 'waiting' } as const
    insertChunks(
      db,
      step.page.chunks.map((chunk) => chunkRow(owner, chunk, defaults)),
    )
    putRange(db, task, step.rangeIndex, movedRange(range, step.page))
    return true
  })
}

function movedRange(range: PlanRange, page: PlannedPage): PlanRange {
  const members = page.chunks.reduce((sum, chunk) => sum + chunk.members.length, 0)
  return { ...range, cursor: page.cursor, done: page.done, planned: range.planned + members }
}

/** Single tasks looked at in one pass: those still being sent are no work, and a backlog may hold many of them. */
const SINGLES_PER_PASS = 1000

const NO_OPEN_CHUNK = `not (${hasOpenChunk('t')})`
const TO_SWEEP = `
  with work (id) as (
    select id from (select id from tasks where state = 0 and starts_at <= ?1 order by starts_at limit ?2)
    union
    select id from (select id from tasks where state = 1 and lane = 2 and state < 4 limit ?2)
    union
    select t.id from (select id, lane, planned, canary from tasks where state = 2 and lane = 2 and state < 4) t
      where t.planned = 0 or t.canary ->> 'state' = 'running' or ${NO_OPEN_CHUNK}
    union
    select t.id from (
      select id, lane from tasks where state < 4 and lane < 2 and state = 2 order by expires_at limit ${SINGLES_PER_PASS}) t
      where ${NO_OPEN_CHUNK}
    union
    select id from (select id from tasks where state < 4 and expires_at <= ?1 order by expires_at limit ?2))
  select json_group_array(${taskColumns(PLAN_TEXT)}) from (select id from work order by id limit ?2) w
  cross join tasks t on t.id = w.id left join plans p on p.task = t.id`

export const toSweep = (db: Db, limit: number): Task[] => db.json<TaskRow[]>(TO_SWEEP, [db.now(), limit]).map(toTask)
