import type { Db, Row } from './db.ts'

/** Rows per statement. A list is cut into these, so that every length is served by four prepared statements. */
const BLOCKS = [64, 16, 4, 1] as const

/** One statement over a list of rows: its text for each of `BLOCKS`. */
export type ValuesSql = readonly string[]

/**
 * A statement with a `values` list of rows of `width` columns in the place that `sql` gives it. Wide rows cost half as
 * much this way as through `json_each`, which parses a row again for each of its columns.
 */
export function valuesSql(width: number, sql: (values: string) => string): ValuesSql {
  const row = `(${Array(width).fill('?').join()})`
  return BLOCKS.map((rows) => sql(`values ${Array(rows).fill(row).join()}`))
}

/** Runs a statement over all rows; answers the number of rows changed. */
export function runRows(db: Db, statement: ValuesSql, rows: readonly Row[]): number {
  let changed = 0
  for (const [sql, params] of cut(statement, rows)) changed += db.run(sql, params)
  return changed
}

function* cut(statement: ValuesSql, rows: readonly Row[]): Generator<[sql: string, params: Row]> {
  let from = 0
  for (const [index, block] of BLOCKS.entries()) {
    while (rows.length - from >= block) {
      yield [statement[index] ?? '', rows.slice(from, from + block).flat()]
      from += block
    }
  }
}
