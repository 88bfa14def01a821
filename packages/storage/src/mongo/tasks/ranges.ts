import type { Plan, Task } from '@fanfare/core'
import { type QueryFilter, trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import { byIdsInOrder } from '../rows.ts'
import type { ChunkDoc, TaskDoc } from '../schemas.ts'
import type { PlanDoc, RangeDoc } from './plan-docs.ts'
import { NO_APP, toTask } from './rows.ts'

/** The ranges that were begun, by task. */
export type Ranges = ReadonlyMap<number, readonly RangeDoc[]>

export const rangeKey = (taskId: string | number, place: number): string => `${taskId}.${place}`

/** Read after the tasks: a range may stand further than the task tells, never less far. */
export async function rangesOf(db: Db, tasks: readonly Pick<TaskDoc, '_id' | 'plan'>[]): Promise<Ranges> {
  const ids = tasks.filter(({ plan }) => plan !== undefined).map((task) => task._id)
  if (ids.length === 0) return new Map()
  const rows: RangeDoc[] = await db.ranges.find({ taskId: trusted({ $in: ids }) }).lean()
  const byTask = new Map<number, RangeDoc[]>(ids.map((id) => [id, []]))
  for (const row of rows) byTask.get(row.taskId)?.push(row)
  return byTask
}

/** The tasks with their plans as they stand. */
export async function toTasks(db: Db, rows: readonly TaskDoc[]): Promise<Task[]> {
  const ranges = await rangesOf(db, rows)
  return rows.map((row) => {
    const task = toTask(row)
    return row.plan ? { ...task, plan: toPlan(row.plan, ranges.get(row._id)) } : task
  })
}

export async function tasksByIds(db: Db, ids: readonly string[]): Promise<(Task | undefined)[]> {
  const rows = await byIdsInOrder(db.tasks, ids, (row) => (row.appId === NO_APP ? undefined : row))
  const found = await toTasks(db, [...new Set(rows.filter((row) => row !== undefined))])
  const byId = new Map(found.map((task) => [task.id, task]))
  return rows.map((row) => row && byId.get(String(row._id)))
}

function toPlan({ first, ...rest }: PlanDoc, begun: readonly RangeDoc[] = []): Plan {
  const byPlace = new Map(begun.map(({ place, cursor, planned, done }) => [place, { cursor, planned, done }]))
  const ranges = first.map((range, place) => ({ ...range, ...byPlace.get(place) }))
  return { ...rest, ranges, complete: rest.complete || areDone(ranges) }
}

const areDone = (ranges: readonly { done: boolean }[]): boolean =>
  ranges.length > 0 && ranges.every((range) => range.done)

/** True where no planner will add chunks: `finish` may look at the chunks. */
export function isPlanned({ _id, plan }: Pick<TaskDoc, '_id' | 'plan'>, ranges: Ranges): boolean {
  if (!plan || plan.complete) return true
  const done = new Set((ranges.get(_id) ?? []).filter((range) => range.done).map((range) => range.place))
  return areDone(plan.first.map((range, place) => ({ done: range.done || done.has(place) })))
}

type Placed = Pick<ChunkDoc, 'taskId' | 'range' | 'seq' | 'attempt'>

/** Those that belong to their task. A chunk that was promoted does, and no longer says of which range it is. */
export async function committed<Row extends Placed>(db: Db, rows: readonly Row[]): Promise<Row[]> {
  const keys = new Set(rows.flatMap(({ taskId, range }) => (range === undefined ? [] : rangeKey(taskId, range))))
  if (keys.size === 0) return [...rows]
  const found: RangeDoc[] = await db.ranges.find({ _id: trusted({ $in: [...keys] }) }).lean()
  const byKey = new Map(found.map((range) => [range._id, range]))
  return rows.filter((row) => row.range === undefined || isCommitted(byKey.get(rangeKey(row.taskId, row.range)), row))
}

/**
 * Whether a chunk of a range belongs to the task: the range's cursor has moved past it (plan.ts), and its page is of the
 * planner that moved it, not left behind by one that died.
 */
function isCommitted(range: RangeDoc | undefined, row: Placed): boolean {
  if (!range?.end || row.seq >= range.end) return false
  const owner = range.by?.findLast(({ from }) => from <= row.seq)
  return owner === undefined || owner.attempt === row.attempt
}

/** The same as a part of a filter for the chunks of one task. */
export function committedOnly(ranges: readonly RangeDoc[] = []): QueryFilter<ChunkDoc> {
  const parts = ranges.flatMap(({ place: range, end = 0, by = [] }) => {
    const owned = [{ from: 0 }, ...by].map((part, index) => ({ ...part, below: by[index]?.from ?? end }))
    return owned.flatMap(({ from, below, ...owner }) =>
      from < below ? [{ range, seq: trusted({ $gte: from, $lt: below }), ...owner }] : [],
    )
  })
  return { $or: [{ range: trusted({ $exists: false }) }, ...parts] }
}
