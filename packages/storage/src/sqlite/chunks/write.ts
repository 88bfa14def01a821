import { afterWrite, type ChunkWrite, type TaskFacts } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { TASK_STATES } from '../tasks/rows.ts'
import { LEDGER_COLUMNS, type LedgerColumns, toLedger } from './rows.ts'
import { type Saved, save } from './save.ts'

/** A chunk between reading and writing. */
type Draft = Saved & { facts: TaskFacts }
type DraftRow = [task: number, seq: number, taskState: number, ...ledger: LedgerColumns]

const READ = `
  select json_group_array(json_array(c.task, c.seq, t.state, ${LEDGER_COLUMNS.map((name) => `c.${name}`).join()}))
  from json_each(?) j cross join chunks c on c.task = j.value ->> 0 and c.seq = j.value ->> 1
  cross join tasks t on t.id = c.task
  where c.state in (2, 3)`

/** All writes in one transaction, each for itself: those of zombies are left out. */
export async function write(db: Db, writes: readonly ChunkWrite[]): Promise<boolean[]> {
  if (writes.length === 0) return []
  const asked = JSON.stringify(writes.map(({ taskId, seq }) => [toKey(taskId), seq]))
  return db.write(() => {
    const now = db.now()
    const drafts = new Map<string, Draft>()
    for (const row of db.json<DraftRow[]>(READ, [asked])) drafts.set(`${row[0]}.${row[1]}`, toDraft(row, now))
    const changed = new Set<Draft>()
    const answers = writes.map((item) => {
      const draft = drafts.get(`${toKey(item.taskId)}.${item.seq}`)
      const written = draft && afterWrite(draft.row, { now, task: draft.facts, write: item })
      if (!written) return false
      draft.row = written.row
      changed.add(draft)
      return written.goesOn
    })
    save(db, [...changed])
    return answers
  })
}

const toDraft = (row: DraftRow, now: number): Draft => ({
  task: row[0],
  seq: row[1],
  facts: { state: TASK_STATES[row[2]] ?? 'failed' },
  row: toLedger(row.slice(3) as LedgerColumns, now),
})
