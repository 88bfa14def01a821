import type { NewChunk, Plan, PlanRange, Task } from '@fanfare/core'
import { LANES, WAITING } from './chunk-rows.ts'
import type { Db } from './db.ts'
import { toKey } from './db.ts'
import { chunkRow, insertChunks } from './task-create.ts'
import { hasOpenChunk, isPlanned, stateCode, type TaskRow, taskColumns, toTask } from './task-rows.ts'

type PlannedPage = { chunks: readonly NewChunk[]; cursor: string; done: boolean }

const PLAN_OF = `
  select t.app, t.lane, t.state, p.body from tasks t join plans p on p.task = t.id where t.id = ?`

/** Chunks and cursor in one transaction. The plan is complete when its last range is done. */
export function addPlanned(
  db: Db,
  step: { id: string; rangeIndex: number; from: string; page: PlannedPage },
): Promise<boolean> {
  return db.write(() => {
    const task = toKey(step.id)
    const [app, lane, state, body] = db.all(PLAN_OF, [task])[0] ?? []
    if (body === undefined || Number(state) >= stateCode('done')) return false
    const plan = JSON.parse(String(body)) as Plan
    const range = plan.ranges[step.rangeIndex]
    if (!range || range.done || range.cursor !== step.from) return false
    const owner = { id: step.id, appId: String(app), lane: LANES[Number(lane)] ?? 'bulk' }
    const defaults = { now: db.now(), state: WAITING } as const
    insertChunks(
      db,
      step.page.chunks.map((chunk) => chunkRow(owner, chunk, defaults)),
    )
    const moved = withRange(plan, step.rangeIndex, movedRange(range, step.page))
    db.run('update plans set body = ? where task = ?', [JSON.stringify(moved), task])
    if (moved.complete) db.run('update tasks set planned = 1 where id = ?', [task])
    return true
  })
}

function movedRange(range: PlanRange, page: PlannedPage): PlanRange {
  const members = page.chunks.reduce((sum, chunk) => sum + chunk.members.length, 0)
  return { ...range, cursor: page.cursor, done: page.done, planned: range.planned + members }
}

function withRange(plan: Plan, index: number, range: PlanRange): Plan {
  const moved = { ...plan, ranges: plan.ranges.map((old, position) => (position === index ? range : old)) }
  return { ...moved, complete: isPlanned(moved) === 1 }
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
  select json_group_array(${taskColumns('p.body')}) from (select id from work order by id limit ?2) w
  cross join tasks t on t.id = w.id left join plans p on p.task = t.id`

export const toSweep = (db: Db, limit: number): Task[] => db.json<TaskRow[]>(TO_SWEEP, [db.now(), limit]).map(toTask)
