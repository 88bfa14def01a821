import { type CreateResult, created as createdAs, type NewChunk, type NewTask, type Task, toCodes } from '@fanfare/core'
import { stateCode as chunkStateCode, countsOf, encodeMembers, reasonsText, toDigits } from '../chunks/rows.ts'
import type { Db, Row } from '../db.ts'
import { toKey } from '../db.ts'
import { runRows, valuesSql } from '../values.ts'
import { claimKeys } from './keys.ts'
import { keepPlan } from './plan-rows.ts'
import { bodyOf, isPlanned, laneCode, stateCode } from './rows.ts'

/** All tasks in one transaction. A taken key leaves its own task out; a task that is there already (a retry) is kept. */
export async function create(db: Db, tasks: readonly NewTask[]): Promise<CreateResult[]> {
  if (tasks.length === 0) return []
  return db.write(() => {
    const now = db.now()
    const results = claimKeys(db, tasks, now)
    const created = tasks.filter((_, index) => results[index] === 'created')
    if (created.length === 0) return results
    runRows(
      db,
      INSERT_TASKS,
      created.map(({ task }) => taskRow(task)),
    )
    for (const { task } of created) if (task.plan) keepPlan(db, toKey(task.id), task.plan)
    insertChunks(
      db,
      created.flatMap(({ task, chunks }) => chunks.map((chunk) => chunkRow(task, chunk, { now, state: 'planned' }))),
    )
    return results
  })
}

const INSERT_TASKS = valuesSql(
  11,
  (values) => `
  insert into tasks (id, app, lane, state, planned, created_at, starts_at, expires_at, rate, canary, body) ${values}
  on conflict do nothing`,
)
const taskRow = (task: NewTask['task']): Row => [
  toKey(task.id),
  toKey(task.appId),
  laneCode(task.lane),
  stateCode(task.state),
  isPlanned(task.plan),
  task.createdAt.getTime(),
  task.startsAt?.getTime() ?? null,
  task.expiresAt.getTime(),
  task.rate ?? null,
  task.canary ? JSON.stringify(task.canary) : null,
  bodyOf(task),
]

const INSERT_CHUNKS = valuesSql(
  19,
  (values) => `
  insert into chunks (task, seq, app, channel, lane, state, gen, fence, starts, started, was_started, tries, size,
    lease_until, due_at, counts, outcomes, reasons, members) ${values}
  on conflict do nothing`,
)

export const insertChunks = (db: Db, rows: readonly Row[]): number => runRows(db, INSERT_CHUNKS, rows)

const reasonsOf = (given: NewChunk['reasons']): ReadonlyMap<string, readonly number[]> =>
  new Map(Object.entries(given ?? {}))

export function chunkRow(
  task: Pick<Task, 'id' | 'appId' | 'lane'>,
  chunk: NewChunk,
  defaults: { now: number; state: 'planned' | 'waiting' },
): Row {
  const size = chunk.members.length
  const outcomes = chunk.outcomes ? toCodes(chunk.outcomes) : new Uint8Array(size)
  const reasons = reasonsOf(chunk.reasons)
  const row = createdAs(chunk, defaults)
  return [
    toKey(task.id),
    chunk.seq,
    toKey(task.appId),
    chunk.channelId === undefined ? null : toKey(chunk.channelId),
    laneCode(task.lane),
    chunkStateCode(row.state),
    row.gen,
    row.fence,
    row.starts,
    row.started,
    0,
    row.tries,
    size,
    row.leaseUntil,
    row.dueAt,
    countsOf(outcomes, reasons),
    toDigits(outcomes),
    reasonsText(reasons),
    encodeMembers(chunk.members),
  ]
}
