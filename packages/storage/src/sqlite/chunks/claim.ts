import {
  begin,
  type ChunkRef,
  type Claimed,
  FIELD_MOVES,
  isFinalCode,
  type LedgerRow,
  type Task,
  toOutcomes,
} from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { type TaskRow, taskColumns, toTask } from '../tasks/rows.ts'
import { type ChunkRow, chunkColumns, digitsOf, isCommon, ledgerOf, toChunk, toLedger } from './rows.ts'
import { save, setSql } from './save.ts'

type Terms = { leaseMs: number; firstWindow: number }
/** `begun`: what the ledger makes of it where the statement cannot know. */
type ClaimedRow = { row: ChunkRow; task: Task; begun?: LedgerRow }

/** `was_started` keeps how far the claimer before had come: what stands below it may have reached the vendor. */
const CLAIM = `
  update chunks set ${setSql(FIELD_MOVES.claim, { lease: '?4' })}, was_started = started, started = min(size, ?3)
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
    const claimed = rows.flatMap(({ row, wasStarted }) => {
      const task = tasks.get(row[0])
      return task ? begun({ row, task }, wasStarted, { now, firstWindow: terms.firstWindow }) : []
    })
    save(
      db,
      claimed.flatMap(({ row: [task, seq], begun }) => (begun ? { task, seq, row: begun } : [])),
    )
    return answer(refs, claimed)
  })
}

function tasksOf(db: Db, rows: readonly { row: ChunkRow }[]): Map<number, Task> {
  const ids = new Set(rows.map(({ row }) => row[0]))
  if (ids.size === 0) return new Map()
  const found = db.json<TaskRow[]>(TASKS, [JSON.stringify([...ids])])
  return new Map(found.map((row) => [row[0], toTask(row)]))
}

/** The statement is right where all members are alike and open, and where no crash puts any in doubt. */
function begun(claimed: ClaimedRow, wasStarted: number, given: { now: number; firstWindow: number }): ClaimedRow {
  const { row, task } = claimed
  const digits = digitsOf(row)
  const inDoubt = wasStarted > 0 && task.onUnknown === 'drop'
  if (isCommon(digits) && !isFinalCode(Number(digits.charAt(0))) && !inDoubt) return claimed
  const next = toLedger(ledgerOf(row), given.now)
  begin(next, wasStarted, { ...given, task })
  return { ...claimed, begun: next }
}

function answer(refs: readonly ChunkRef[], claimed: readonly ClaimedRow[]): (Claimed | undefined)[] {
  const going = claimed.filter(({ begun }) => begun?.state !== 'done')
  const byRef = new Map(going.map((one) => [`${one.row[0]}.${one.row[1]}`, one]))
  return refs.map(({ taskId, seq }) => {
    const key = `${toKey(taskId)}.${seq}`
    const one = byRef.get(key)
    if (!one) return undefined
    byRef.delete(key)
    const { row, task, begun } = one
    return {
      chunk: { ...toChunk(row), ...(begun && { started: begun.started, outcomes: toOutcomes(begun.outcomes) }) },
      task,
    }
  })
}
