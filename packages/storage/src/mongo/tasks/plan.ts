import type { NewChunk, Task } from '@fanfare/core'
import { trusted } from 'mongoose'
import { newRow } from '../chunks/rows.ts'
import type { Db } from '../connect.ts'
import { insertAll, rawOf } from '../rows.ts'
import type { ChunkDoc, StepDoc } from '../schemas.ts'
import { OPEN_STATES, stepKey } from './rows.ts'

type PlannedPage = { chunks: readonly NewChunk[]; cursor: string; done: boolean }
export type PlanStep = { id: string; rangeIndex: number; from: string; page: PlannedPage }
type Owner = Pick<Task, 'id' | 'appId' | 'lane' | 'expiresAt'>
/** `by`: of the range, this attempt the last (schemas.ts). */
type Attempt = { attempt: number; cursor: string; owner: Owner; by: NonNullable<StepDoc['by']> }

/** The ranges this process plans, so that a planner that goes on need not announce itself for each page. */
export class Planner {
  readonly #db: Db
  readonly #mine = new Map<string, Attempt>()

  constructor(db: Db) {
    this.#db = db
  }

  /**
   * Two writes, the second is the commit point: the page's chunks, then cursor and `end` of the range. Chunks at or
   * above `end` do not count yet, nor do those below it that are of another attempt than the one that moved it
   * (`isCommitted`). Who begins on a range raises its `attempt`: from then on nobody with a lower one commits, and rows
   * that a crashed or slower planner left behind are replaced where they stand in the way.
   */
  async addPlanned(step: PlanStep): Promise<boolean> {
    const key = `${step.id}.${step.rangeIndex}`
    const known = this.#mine.get(key)
    this.#mine.delete(key)
    const mine = known?.cursor === step.from ? known : await begin(this.#db, step)
    if (!mine) return false
    await putRows(this.#db, step, mine)
    if (!(await commit(this.#db, step, mine))) return false
    if (!step.page.done) this.#mine.set(key, { ...mine, cursor: step.page.cursor })
    return true
  }
}

const rangePath = (step: PlanStep): string => `plan.ranges.${step.rangeIndex}`
const stepPath = (step: PlanStep): string => `steps.${stepKey(step.rangeIndex)}`

/** The range stands where the page begins, and the task is not over. */
const standsAt = (step: PlanStep) => ({
  _id: Number(step.id),
  [`${rangePath(step)}.cursor`]: { $eq: step.from },
  [`${rangePath(step)}.done`]: false,
  state: trusted({ $in: [...OPEN_STATES] }),
})

const OWNER = { appId: 1, lane: 1, expiresAt: 1, steps: 1 } as const

/** Raises the attempt by a compare-and-set; undefined where the range stands elsewhere. */
async function begin(db: Db, step: PlanStep): Promise<Attempt | undefined> {
  const row = await db.tasks.findOne(standsAt(step), OWNER).lean()
  if (!row) return undefined
  const path = `${stepPath(step)}.attempt`
  const before = row.steps?.[stepKey(step.rangeIndex)]
  const attempt = (before?.attempt ?? 0) + 1
  const same = { [path]: before === undefined ? trusted({ $exists: false }) : before.attempt }
  const begun = await db.tasks.updateOne({ ...standsAt(step), ...same }, { $set: { [path]: attempt } })
  if (begun.matchedCount === 0) return begin(db, step)
  const owner = { id: step.id, appId: String(row.appId), lane: row.lane, expiresAt: row.expiresAt }
  const from = before?.end ?? 0
  const by = [...(before?.by ?? []).filter((part) => part.from < from), { attempt, from }]
  return { attempt, cursor: step.from, owner, by }
}

async function putRows(db: Db, step: PlanStep, { owner, attempt }: Attempt): Promise<void> {
  if (step.page.chunks.length === 0) return
  const now = await db.clock.now()
  const rows = step.page.chunks.map((chunk) => ({
    ...newRow(owner, chunk, { now, state: 'waiting' }),
    ...{ range: step.rangeIndex, attempt },
  }))
  const met = await insertAll(db.chunks, rows)
  const replacements = met.flatMap(({ index }) => replacementOf(rows[index]))
  if (replacements.length > 0) await rawOf(db.chunks).bulkWrite(replacements, { ordered: false })
}

/** Only a row of an earlier attempt gives way. */
function replacementOf(row: (ChunkDoc & { attempt: number }) | undefined) {
  if (!row) return []
  const { _id, ...replacement } = row
  return [{ replaceOne: { filter: { _id, attempt: { $lt: row.attempt } }, replacement } }]
}

async function commit(db: Db, step: PlanStep, { attempt, by }: Attempt): Promise<boolean> {
  const { chunks, cursor, done } = step.page
  const end = chunks.reduce((highest, chunk) => Math.max(highest, chunk.seq + 1), 0)
  const members = chunks.reduce((sum, chunk) => sum + chunk.members.length, 0)
  const moved = { [`${rangePath(step)}.cursor`]: cursor, [`${rangePath(step)}.done`]: done }
  const set = end > 0 ? { ...moved, [`${stepPath(step)}.end`]: end, [`${stepPath(step)}.by`]: by } : moved
  const filter = { ...standsAt(step), [`${stepPath(step)}.attempt`]: attempt }
  const update = { $set: set, $inc: { [`${rangePath(step)}.planned`]: members } }
  return (await db.tasks.updateOne(filter, update)).matchedCount > 0
}
