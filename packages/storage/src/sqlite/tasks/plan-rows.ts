import type { Plan, PlanRange } from '@fanfare/core'
import type { Db } from '../db.ts'

/**
 * A plan is one row without its ranges and a row for each range, so that a page of a plan with hundreds of them writes one.
 * As an expression over tasks `t` and plans `p`: the plan as JSON text, null where there is none.
 */
export const PLAN_TEXT = `
  case when p.body is not null then json_set(p.body, '$.ranges', (
    select json_group_array(json(body)) from (select body from plan_ranges where task = t.id order by place))) || '' end`

const PUT = 'insert into plans (task, body) values (?1, ?2) on conflict (task) do update set body = ?2'
const CLEAR = 'delete from plan_ranges where task = ?'
const ADD_RANGES = `
  insert into plan_ranges (task, place, body) select ?1, j.key, j.value from json_each(?2) j where true
  on conflict do nothing`

/** In place of the one before. */
export function putPlan(db: Db, task: number, { ranges, ...rest }: Plan): void {
  db.run(PUT, [task, JSON.stringify(rest)])
  db.run(CLEAR, [task])
  db.run(ADD_RANGES, [task, JSON.stringify(ranges)])
}

/** Of a task that is there already the plan is left as it is. */
export function keepPlan(db: Db, task: number, plan: Plan): void {
  if (db.all('select 1 from plans where task = ?', [task]).length === 0) putPlan(db, task, plan)
}

const RANGE_OF = `
  select t.app, t.lane, t.state, r.body from tasks t join plan_ranges r on r.task = t.id and r.place = ?2 where t.id = ?1`
type Planned = { appId: string; lane: number; state: number; range: PlanRange }

/** One range and the task it is of. */
export function rangeOf(db: Db, task: number, place: number): Planned | undefined {
  const [app, lane, state, body] = db.all(RANGE_OF, [task, place])[0] ?? []
  if (body === undefined) return undefined
  return { appId: String(app), lane: Number(lane), state: Number(state), range: JSON.parse(String(body)) as PlanRange }
}

const PUT_RANGE = 'update plan_ranges set body = ?3 where task = ?1 and place = ?2'
const OPEN_RANGE = `select 1 from plan_ranges where task = ? and body ->> 'done' = 0 limit 1`
const COMPLETE = `update plans set body = json_set(body, '$.complete', json('true')) where task = ?`

/** The plan is complete when its last range is done. */
export function putRange(db: Db, task: number, place: number, range: PlanRange): void {
  db.run(PUT_RANGE, [task, place, JSON.stringify(range)])
  if (!range.done || db.all(OPEN_RANGE, [task]).length > 0) return
  db.run(COMPLETE, [task])
  db.run('update tasks set planned = 1 where id = ?', [task])
}

export function deletePlan(db: Db, task: number): void {
  db.run('delete from plans where task = ?', [task])
  db.run(CLEAR, [task])
}
