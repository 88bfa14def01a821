import type { ChunkRef, Claimed, Task } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toJson, toKey } from '../db.ts'
import { type TaskRow, taskColumns, toTask } from '../tasks/rows.ts'
import {
  type ChunkRow,
  chunkColumns,
  countsOf,
  type Digits,
  DONE,
  digitOf,
  isAllFinal,
  packed,
  STARTED,
  toChunk,
  toReasons,
  UNSENT,
  unpacked,
} from './rows.ts'

type Terms = { leaseMs: number; firstWindow: number }
type ClaimedRow = { row: ChunkRow; wasStarted: number }

/** `was_started` keeps the window of the claim before: what stands below it may have reached the vendor. */
const CLAIM = `
  update chunks set state = 3, fence = fence + 1, starts = starts + 1, was_started = started,
    started = min(size, ?3), lease_until = ?4, due_at = ?4, next_at = null
  from json_each(?1) j cross join tasks t
  where chunks.task = j.value ->> 0 and chunks.seq = j.value ->> 1 and chunks.gen >= j.value ->> 2
    and chunks.lane > 0
    and (chunks.state in (1, 2) and coalesce(chunks.next_at, 0) <= ?2 or chunks.state = 3 and chunks.lease_until < ?2)
    and t.id = chunks.task and t.state in (1, 2) and t.expires_at > ?2
  returning was_started, ${chunkColumns('chunks')}`
const TASKS = `
  select json_group_array(${taskColumns('null')}) from json_each(?) j cross join tasks t on t.id = j.value`

/** The task of a claimed chunk comes without its plan. */
export async function claim(db: Db, refs: readonly ChunkRef[], terms: Terms): Promise<(Claimed | undefined)[]> {
  if (refs.length === 0) return []
  const asked = JSON.stringify(refs.map(({ taskId, seq, gen }) => [toKey(taskId), seq, gen]))
  return db.write(() => {
    const now = db.now()
    const found = db.all(CLAIM, [asked, now, terms.firstWindow, now + terms.leaseMs])
    const rows = found.map(([wasStarted, row]) => ({
      row: JSON.parse(String(row)) as ChunkRow,
      wasStarted: Number(wasStarted),
    }))
    const tasks = tasksOf(db, rows)
    return answer(refs, settleCrashed(db, rows, tasks), tasks)
  })
}

function tasksOf(db: Db, rows: readonly ClaimedRow[]): Map<number, Task> {
  const ids = new Set(rows.map(({ row }) => row[0]))
  if (ids.size === 0) return new Map()
  const found = db.json<TaskRow[]>(TASKS, [JSON.stringify([...ids])])
  return new Map(found.map((row) => [row[0], toTask(row)]))
}

function answer(
  refs: readonly ChunkRef[],
  rows: readonly ClaimedRow[],
  tasks: ReadonlyMap<number, Task>,
): (Claimed | undefined)[] {
  const byRef = new Map(rows.map(({ row }) => [`${row[0]}.${row[1]}`, row]))
  return refs.map(({ taskId, seq }) => {
    const key = `${toKey(taskId)}.${seq}`
    const row = byRef.get(key)
    const task = row && tasks.get(row[0])
    if (!row || !task) return undefined
    byRef.delete(key)
    return { chunk: toChunk(row), task }
  })
}

const SETTLE = `
  update chunks set outcomes = j.value ->> 2, counts = j.value ->> 3, state = j.value ->> 4
  from json_each(?) j where task = j.value ->> 0 and seq = j.value ->> 1`

/**
 * Of tasks with `onUnknown: drop`, members that the crashed claimer may have sent become `unknown` and stay so; a chunk
 * that has no open member then is done. With `resend` they are simply still open.
 */
function settleCrashed(db: Db, rows: readonly ClaimedRow[], tasks: ReadonlyMap<number, Task>): ClaimedRow[] {
  const crashed = rows.filter((claimed) => claimed.wasStarted > 0 && tasks.get(claimed.row[0])?.onUnknown === 'drop')
  if (crashed.length === 0) return [...rows]
  const settled = crashed.map(({ row, wasStarted }) => {
    const digits = withUnknown(unpacked(row[14]), wasStarted)
    row[14] = packed(digits)
    if (isAllFinal(digits)) row[5] = DONE
    return [row[0], row[1], row[14], countsOf(digits, toReasons(row[15])), row[5]]
  })
  db.run(SETTLE, [toJson(settled)])
  return rows.filter(({ row }) => row[5] !== DONE)
}

export function withUnknown(digits: Digits, below: number): Digits {
  const unknown = digitOf('unknown')
  return Array.from(digits, (digit, index) =>
    index < below && (digit === UNSENT || digit === STARTED) ? unknown : digit,
  ).join('')
}
