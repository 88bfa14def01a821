import type { Outcome } from '@fanfare/core'
import type { Db, Row } from '../db.ts'
import { runRows, valuesSql } from '../values.ts'
import {
  addReason,
  countsOf,
  type DEAD,
  type DONE,
  digitOf,
  isFinalDigit,
  type PackedDigits,
  packed,
  reasonsText,
  toReasons,
  unpacked,
} from './rows.ts'

/** What becomes of the open members of a chunk, and of the chunk. */
export type Ending = { outcome: Outcome; reason?: string; state: typeof DONE | typeof DEAD }
type OpenRow = [task: number, seq: number, outcomes: PackedDigits, reasons: string | null]

export const OPEN_COLUMNS = 'json_group_array(json_array(task, seq, outcomes, reasons))'
/** A chunk being sent is left to its sender as long as the lease holds. */
export const NOT_BEING_SENT = '(c.state <> 3 or c.lease_until < ?1)'
const END = valuesSql(
  6,
  (values) => `
  update chunks set state = column3, outcomes = column4, reasons = column5, counts = column6, lease_until = null,
    next_at = null, due_at = null
  from (${values}) where task = column1 and seq = column2`,
)

/** Ends the chunks that `find` selects; `find` is run in the same transaction, its first parameter is the time. */
export function end(db: Db, find: string, params: Row, ending: Ending): Promise<number> {
  return db.write(() => {
    const rows = db.json<OpenRow[]>(find, [db.now(), ...params])
    runRows(
      db,
      END,
      rows.map((row) => endedRow(row, ending)),
    )
    return rows.length
  })
}

function endedRow([task, seq, outcomes, text]: OpenRow, ending: Ending): Row {
  const digits = Array.from(unpacked(outcomes))
  const reasons = toReasons(text)
  digits.forEach((digit, index) => {
    if (isFinalDigit(digit)) return
    digits[index] = digitOf(ending.outcome)
    if (ending.reason !== undefined) addReason(reasons, ending.reason, index)
  })
  const ended = digits.join('')
  return [task, seq, ending.state, packed(ended), reasonsText(reasons), countsOf(ended, reasons)]
}
