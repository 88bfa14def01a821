import { OUTCOMES, type Outcome, type TaskCounts } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'

/** Most chunks of a task end alike, so the sums are made of few different texts. */
const COUNTS = `
  select channel, counts, count(*), sum(size) from chunks where task = ? group by channel, counts order by min(seq)`

/** Sums over the chunk rows. */
export function counts(db: Db, id: string): TaskCounts[] {
  const byChannel = new Map<string, TaskCounts>()
  for (const [channel, text, rows, size] of db.all(COUNTS, [toKey(id)])) {
    const key = String(channel)
    const sums = byChannel.get(key) ?? {
      ...(channel !== null && { channelId: key }),
      total: 0,
      byOutcome: {} as Partial<Record<Outcome, number>>,
      byReason: Object.create(null) as Record<string, number>,
    }
    byChannel.set(key, sums)
    sums.total += Number(size)
    add(sums, String(text), Number(rows))
  }
  return [...byChannel.values()]
}

function add(sums: TaskCounts, text: string, rows: number): void {
  const [byDigit, byReason] = JSON.parse(text) as [Record<string, number>, Record<string, number>]
  for (const [digit, members] of Object.entries(byDigit)) {
    const outcome = OUTCOMES[Number(digit)] ?? 'unsent'
    sums.byOutcome[outcome] = (sums.byOutcome[outcome] ?? 0) + members * rows
  }
  for (const [reason, members] of Object.entries(byReason)) {
    sums.byReason[reason] = (sums.byReason[reason] ?? 0) + members * rows
  }
}
