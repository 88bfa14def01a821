import { randomUUID } from 'node:crypto'
import type { LedgerRow } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import { onceMore } from '../errors.ts'
import { rawOf } from '../rows.ts'
import { type Draft, toLedger, withLedger } from './rows.ts'

/** A chunk as it was read, and as it should be; what is the same is not written. */
export type Swap<Row extends Draft = Draft> = { row: Row; next: Row }

/** A chunk after an event of the ledger; undefined where the ledger has no such step. */
export function moved<Row extends Draft>(row: Row, move: (ledger: LedgerRow) => LedgerRow | undefined): Swap<Row>[] {
  const before = toLedger(row)
  const next = move(before)
  return next ? [{ row, next: { ...row, ...withLedger(row, before, next) } }] : []
}

/**
 * Changes each chunk if nobody did since it was read (`rev`), all in one unordered bulk; answers for each whether it was
 * changed. So of many racing claimers exactly one wins. Chunks that change alike share one statement. Where the answer
 * is lost the same bulk is sent once more: what was applied matches no more and is recognised by `op`, so it is applied
 * once on a replica set and on a standalone server alike. Each chunk may stand in the list once.
 */
export async function swap(db: Db, swaps: readonly Swap[]): Promise<boolean[]> {
  if (swaps.length === 0) return []
  const op = randomUUID()
  const matched = await send(db, statements(swaps, op))
  if (matched === swaps.length) return swaps.map(() => true)
  const ids = swaps.map(({ row }) => row._id)
  const mine = await db.chunks.find({ _id: trusted({ $in: ids }), op: { $eq: op } }, { _id: 1 }).lean()
  const won = new Set(mine.map((row) => row._id))
  return ids.map((id) => won.has(id))
}

type Change = { $set: Record<string, unknown>; $unset?: Record<string, 1> }
type Statement = { updateMany: { filter: { _id: { $in: string[] }; rev: number }; update: Change } }

/** How many chunks matched. Sent twice it is fewer: what the first bulk changed does not match again. */
const send = async (db: Db, bulk: Statement[]): Promise<number> =>
  (await onceMore(() => rawOf(db.chunks).bulkWrite(bulk as never[], { ordered: false }))).matchedCount

function statements(swaps: readonly Swap[], op: string): Statement[] {
  const alike = new Map<string, Statement>()
  for (const { row, next } of swaps) {
    const update = changeOf(row, next, op)
    const key = JSON.stringify(update)
    const known = alike.get(key)
    if (known) known.updateMany.filter._id.$in.push(row._id)
    else alike.set(key, { updateMany: { filter: { _id: { $in: [row._id] }, rev: row.rev }, update } })
  }
  return [...alike.values()]
}

/** The new `rev` is part of it, so chunks that change alike were of one `rev`. */
function changeOf(row: Draft, next: Draft, op: string): Change {
  const set: Record<string, unknown> = { rev: row.rev + 1, op }
  const unset: Record<string, 1> = {}
  for (const field of Object.keys(next) as (keyof Draft)[]) {
    if (isSame(next[field], row[field])) continue
    if (next[field] === undefined) unset[field] = 1
    else set[field] = next[field]
  }
  return Object.keys(unset).length > 0 ? { $set: set, $unset: unset } : { $set: set }
}

const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (a instanceof Date && b instanceof Date && a.getTime() === b.getTime())
