import type { Outcome, TaskCounts } from '@fanfare/core'
import type { Db } from '../connect.ts'
import { committedOnly, rangesOf } from './ranges.ts'

type Sums = { _id: number | null; total: number } & Partial<Record<Outcome, number>>
type ReasonSum = { _id: { channel?: number | null; reason: string }; members: number }

/** Sums over the chunk rows, which carry their own counts: one pass for the outcomes, one for the reasons. */
export async function counts(db: Db, id: string, outcomes: readonly Outcome[]): Promise<TaskCounts[]> {
  const task = await db.tasks.findOne({ _id: Number(id) }, { 'plan.complete': 1 }).lean()
  if (!task) return []
  const ranges = await rangesOf(db, [task])
  const match = [{ $match: { taskId: task._id, ...committedOnly(ranges.get(task._id)) } }]
  const sum = (field: string) => ({ $sum: `$${field}` })
  const sums = Object.fromEntries(outcomes.map((outcome) => [outcome, sum(`counts.${outcome}`)]))
  const [byChannel, byReason] = await Promise.all([
    db.chunks.aggregate<Sums>([
      ...match,
      { $group: { _id: '$channelId', first: { $min: '$seq' }, total: sum('size'), ...sums } },
      { $sort: { first: 1 } },
    ]),
    db.chunks.aggregate<ReasonSum>([
      ...match,
      { $unwind: '$reasons' },
      { $group: { _id: { channel: '$channelId', reason: '$reasons.r' }, members: sum('reasons.n') } },
    ]),
  ])
  return byChannel.map((row) => toCounts(row, byReason, outcomes))
}

function toCounts(row: Sums, reasons: readonly ReasonSum[], outcomes: readonly Outcome[]): TaskCounts {
  const mine = reasons.filter((sum) => (sum._id.channel ?? null) === row._id)
  const found = outcomes.filter((outcome) => (row[outcome] ?? 0) > 0)
  return {
    ...(row._id !== null && { channelId: String(row._id) }),
    total: row.total,
    byOutcome: Object.fromEntries(found.map((outcome) => [outcome, row[outcome] ?? 0])),
    byReason: Object.fromEntries(mine.map((sum) => [sum._id.reason, sum.members])),
  }
}
