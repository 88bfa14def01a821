import { afterFirst, type ChunkEvent, type Given } from '@fanfare/core'
import type { Db, Row } from '../db.ts'
import { TASK_STATES } from '../tasks/rows.ts'
import { LEDGER_COLUMNS, type LedgerColumns, toLedger } from './rows.ts'
import { save } from './save.ts'

type FoundRow = [
  task: number,
  seq: number,
  taskState: number,
  expiresAt: number,
  dueAt: number | null,
  ...ledger: LedgerColumns,
]

/** What a search for chunks to be ended selects of chunks `c` and their tasks `t`. */
export const FOUND = `
  c.task, c.seq, t.state as task_state, t.expires_at, c.due_at, ${LEDGER_COLUMNS.map((name) => `c.${name}`).join()}`
const FOUND_JSON = `json_array(task, seq, task_state, expires_at, due_at, ${LEDGER_COLUMNS.join()})`
/** A chunk being sent is left to its sender as long as the lease holds. */
export const NOT_BEING_SENT = '(c.state <> 3 or c.lease_until < ?1)'

/** Which of these events, the first that applies, ends what was found. */
export type Ending = { events: readonly ChunkEvent[]; given?: Omit<Given, 'now' | 'task'> }

/**
 * Ends the chunks that `find` selects, as the ledger has it; `find` is run in the same transaction, its first parameter
 * is the time.
 */
export function end(db: Db, find: string, params: Row, { events, given }: Ending): Promise<number> {
  return db.write(() => {
    const now = db.now()
    const rows = db.json<FoundRow[]>(`select json_group_array(${FOUND_JSON}) from (${find})`, [now, ...params])
    const ended = rows.flatMap(([task, seq, taskState, expiresAt, dueAt, ...ledger]) => {
      const facts = { state: TASK_STATES[taskState] ?? 'failed', expiresAt: new Date(expiresAt) }
      const row = afterFirst(events, { ...toLedger(ledger, now), dueAt }, { ...given, now, task: facts })
      return row ? { task, seq, row } : []
    })
    save(db, ended)
    return ended.length
  })
}
