import type { LedgerRow, Moves } from '@fanfare/core'
import type { Db, Row } from '../db.ts'
import { runRows, valuesSql } from '../values.ts'
import { countsOf, reasonsText, stateCode, toDigits } from './rows.ts'

/** A chunk as the ledger left it; `gen` and `fence` are changed by statements of their own (`setSql`). */
export type Saved = { task: number; seq: number; row: LedgerRow }

const SAVE = valuesSql(
  12,
  (values) => `
  update chunks set state = column3, started = column4, starts = column5, tries = column6, lease_until = column7,
    next_at = column8, due_at = column9, counts = column10, outcomes = column11, reasons = column12
  from (${values}) where task = column1 and seq = column2`,
)

export function save(db: Db, changed: readonly Saved[]): void {
  runRows(db, SAVE, changed.map(columnsOf))
}

function columnsOf({ task, seq, row }: Saved): Row {
  return [
    task,
    seq,
    stateCode(row.state),
    row.started,
    row.starts,
    row.tries,
    row.leaseUntil,
    row.nextAt,
    row.dueAt,
    countsOf(row.outcomes, row.reasons),
    toDigits(row.outcomes),
    reasonsText(row.reasons),
  ]
}

const COLUMNS = { leaseUntil: 'lease_until', nextAt: 'next_at', dueAt: 'due_at' }

/** The `set` list of an event that moves fields alone, with the parameters that hold the time and the end of the lease. */
export function setSql({ state, raises, sets }: Moves, params: { now?: string; lease?: string }): string {
  const values = { now: params.now, lease: params.lease, none: 'null' }
  const fields = Object.entries(COLUMNS).flatMap(([field, column]) => {
    const value = sets[field as keyof typeof COLUMNS]
    return value === undefined ? [] : `${column} = ${values[value]}`
  })
  return [`state = ${stateCode(state)}`, ...raises.map((field) => `${field} = ${field} + 1`), ...fields].join(', ')
}
