import type { NewChunk, PlanRange, Task } from '@fanfare/core'
import { trusted } from 'mongoose'
import { newRow } from '../chunks/rows.ts'
import type { Db } from '../connect.ts'
import { isDuplicate } from '../errors.ts'
import { insertAll, rawOf } from '../rows.ts'
import type { ChunkDoc, TaskDoc } from '../schemas.ts'
import type { RangeDoc } from './plan-docs.ts'
import { rangeKey } from './ranges.ts'
import { OPEN_STATES } from './rows.ts'

type PlannedPage = { chunks: readonly NewChunk[]; cursor: string; done: boolean }
export type PlanStep = { id: string; rangeIndex: number; from: string; page: PlannedPage }
type Owner = Pick<Task, 'id' | 'appId' | 'lane' | 'expiresAt'>
/** `by`: of the range, this attempt the last (RangeDoc). */
type Attempt = { attempt: number; cursor: string; owner: Owner; by: NonNullable<RangeDoc['by']> }

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
   * (ranges.ts). Who begins on a range raises its `attempt`: from then on nobody with a lower one commits, and rows
   * that a crashed or slower planner left behind are replaced where they stand in the way. A page that is committed in
   * the moment in which its task ends is ended by the sweeper, like all that an ended task leaves open.
   */
  async addPlanned(step: PlanStep): Promise<boolean> {
    const key = rangeKey(step.id, step.rangeIndex)
    const known = this.#mine.get(key)
    this.#mine.delete(key)
    const mine = known?.cursor === step.from ? known : await begin(this.#db, step)
    if (!mine) return false
    await putRows(this.#db, step, mine)
    if (!(await this.#db.tasks.exists(unplanned(step)).lean()) || !(await commit(this.#db, step, mine))) return false
    if (!step.page.done) this.#mine.set(key, { ...mine, cursor: step.page.cursor })
    return true
  }
}

/** The task is not over, nor was its plan called complete before its time. */
const unplanned = ({ id }: PlanStep) => ({
  _id: Number(id),
  'plan.complete': false,
  state: trusted({ $in: [...OPEN_STATES] }),
})

const OWNER = { appId: 1, lane: 1, expiresAt: 1, 'plan.first': 1 } as const

/** Raises the attempt by a compare-and-set; undefined where the range stands elsewhere. */
async function begin(db: Db, step: PlanStep): Promise<Attempt | undefined> {
  const task = await db.tasks.findOne(unplanned(step), OWNER).lean<TaskDoc>()
  const first = task?.plan?.first[step.rangeIndex]
  if (!first) return undefined
  const before = await db.ranges.findOne({ _id: { $eq: rangeKey(step.id, step.rangeIndex) } }).lean()
  const { done, cursor } = before ?? first
  if (done || cursor !== step.from) return undefined
  const attempt = (before?.attempt ?? 0) + 1
  if (!(before ? await raise(db, before, attempt) : await insert(db, newRange(task, step, first))))
    return begin(db, step)
  const owner = { id: step.id, appId: String(task.appId), lane: task.lane, expiresAt: task.expiresAt }
  const from = before?.end ?? 0
  const by = [...(before?.by ?? []).filter((part) => part.from < from), { attempt, from }]
  return { attempt, cursor: step.from, owner, by }
}

const newRange = (task: TaskDoc, { rangeIndex: place }: PlanStep, first: PlanRange): RangeDoc => ({
  ...{ _id: rangeKey(task._id, place), taskId: task._id, place },
  ...{ cursor: first.cursor, planned: first.planned, done: false, attempt: 1, at: task.expiresAt },
})

const insert = async (db: Db, range: RangeDoc): Promise<boolean> =>
  !(await isDuplicate(rawOf(db.ranges).insertOne(range)))

async function raise(db: Db, { _id, cursor, attempt }: RangeDoc, to: number): Promise<boolean> {
  const filter = { _id, cursor: { $eq: cursor }, done: false, attempt }
  return (await db.ranges.updateOne(filter, { $set: { attempt: to } })).matchedCount > 0
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
  const filter = { _id: rangeKey(step.id, step.rangeIndex), cursor: { $eq: step.from }, done: false, attempt }
  const update = { $set: { cursor, done, ...(end > 0 && { end, by }) }, $inc: { planned: members } }
  return (await db.ranges.updateOne(filter, update)).matchedCount > 0
}
