import type { Task, TaskChange, TaskStore } from '@fanfare/core'
import type { Db, Value } from '../db.ts'
import { toJson, toKey } from '../db.ts'
import { counts } from './counts.ts'
import { create } from './create.ts'
import { byKey, keepAnswer } from './keys.ts'
import { addPlanned, toSweep } from './plan.ts'
import { PLAN_TEXT, putPlan } from './plan-rows.ts'
import { hasOpenChunk, isPlanned, stateCode, type TaskRow, taskColumns, toTask } from './rows.ts'

export function taskStore(db: Db): TaskStore {
  return {
    create: (tasks) => create(db, tasks),
    byKey: (appId, key) => db.read(() => byKey(db, appId, key)),
    answer: (appId, key, answer) => keepAnswer(db, { appId, key, answer }),
    byIds: (ids) => db.read(() => byIds(db, ids)),
    page: (appId, query) => db.read(() => page(db, appId, query)),
    update: (id, change) => update(db, id, change),
    finish: (ids) => finish(db, ids),
    counts: (id) => db.read(() => counts(db, id)),
    load: (appId, since) => db.read(() => load(db, appId, since)),
    addPlanned: (id, rangeIndex, from, page) => addPlanned(db, { id, rangeIndex, from, page }),
    toSweep: (limit) => db.read(() => toSweep(db, limit)),
  }
}

const BY_IDS = `
  select json_group_array(${taskColumns(PLAN_TEXT)}) from json_each(?) j
  cross join tasks t on t.id = j.value left join plans p on p.task = t.id`

function byIds(db: Db, ids: readonly string[]): (Task | undefined)[] {
  const rows = db.json<TaskRow[]>(BY_IDS, [JSON.stringify(ids.map(toKey))])
  const byId = new Map(rows.map((row) => [String(row[0]), toTask(row)]))
  return ids.map((id) => byId.get(id))
}

const PAGE = `
  select json_group_array(${taskColumns(PLAN_TEXT)}) from (
    select * from tasks where app = ? and lane = 2 order by created_at desc, id desc limit ? offset ?) t
  left join plans p on p.task = t.id`
const TOTAL = 'select count(*) from tasks where app = ? and lane = 2'

/** Pages are counted from 0. */
function page(db: Db, appId: string, query: { page: number; size: number }): { tasks: Task[]; total: number } {
  const app = toKey(appId)
  const rows = db.json<TaskRow[]>(PAGE, [app, query.size, query.page * query.size])
  const tasks = rows.map(toTask)
  tasks.sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || Number(b.id) - Number(a.id))
  return { tasks, total: Number(db.all(TOTAL, [app])[0]?.[0]) }
}

function update(db: Db, id: string, change: TaskChange): Promise<boolean> {
  const set: string[] = []
  const values: Value[] = []
  const add = (column: string, value: Value) => {
    set.push(`${column} = ?`)
    values.push(value)
  }
  if (change.state) add('state', stateCode(change.state))
  if (change.rate !== undefined) add('rate', change.rate)
  if (change.canary) add('canary', JSON.stringify(change.canary))
  if (change.startedAt) add('started_at', change.startedAt.getTime())
  if (change.finishedAt) add('finished_at', change.finishedAt.getTime())
  if (change.plan) add('planned', isPlanned(change.plan))
  if (set.length === 0) set.push('id = id')
  const ifState = JSON.stringify(change.ifState?.map(stateCode) ?? [...Array(7).keys()])
  const noPlan = change.ifNoPlan ? ' and not exists (select 1 from plans where task = tasks.id)' : ''
  const sql = `update tasks set ${set.join()} where id = ? and state in (select value from json_each(?))${noPlan}`
  return db.write(() => {
    if (db.run(sql, [...values, toKey(id), ifState]) === 0) return false
    if (change.plan) putPlan(db, toKey(id), change.plan)
    return true
  })
}

const FINISH = `
  update tasks set state = 4, finished_at = ?2 from json_each(?1) j
  where tasks.id = j.value and state = 2 and planned = 1
    and not (${hasOpenChunk('tasks')})
  returning id`

async function finish(db: Db, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const list = toJson(ids.map(toKey))
  return db.write(() => db.all(FINISH, [list, db.now()]).map((row) => String(row[0])))
}

const RUNNING = `
  select count(*) from tasks where state in (0, 1, 2, 3) and state < 4 and app = ? and lane = 2`
const CREATED = 'select count(*) from tasks where app = ? and lane = 2 and created_at >= ?'

function load(db: Db, appId: string, since: Date): { running: number; created: number } {
  const running = db.all(RUNNING, [toKey(appId)])[0]?.[0]
  const created = db.all(CREATED, [toKey(appId), since.getTime()])[0]?.[0]
  return { running: Number(running), created: Number(created) }
}
