import { randomUUID } from 'node:crypto'
import { OUTCOMES, type Task, type TaskChange, type TaskStore } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import type { TaskDoc } from '../schemas.ts'
import { counts } from './counts.ts'
import { create, keyOwner } from './create.ts'
import { Planner } from './plan.ts'
import { isPlanned, rangesOf, tasksByIds, toTasks } from './ranges.ts'
import { flagsOf, planRow, setOrUnset } from './rows.ts'
import { TaskSweep, withOpenChunks } from './sweep.ts'

export function taskStore(db: Db): TaskStore {
  const planner = new Planner(db)
  const sweep = new TaskSweep(db)
  return {
    create: (tasks) => create(db, tasks),
    async answer(appId, key, { status, body }) {
      const filter = { appId: Number(appId), 'idem.key': { $eq: key } }
      await db.tasks.updateOne(filter, { $set: { 'idem.answer': { status, body } } })
    },
    byKey: (appId, key) => keyOwner(db, Number(appId), key),
    byIds: (ids) => tasksByIds(db, ids),
    page: (appId, query) => page(db, Number(appId), query),
    update: (id, change) => update(db, Number(id), change),
    finish: (ids) => finish(db, ids.map(Number)),
    counts: (id) => counts(db, id, OUTCOMES),
    load: (appId, since) => load(db, Number(appId), since),
    addPlanned: (id, rangeIndex, from, page) => planner.addPlanned({ id, rangeIndex, from, page }),
    toSweep: (limit) => sweep.toSweep(limit),
  }
}

/** Pages are counted from 0. */
async function page(
  db: Db,
  bulkApp: number,
  query: { page: number; size: number },
): Promise<{ tasks: Task[]; total: number }> {
  const [rows, total] = await Promise.all([
    db.tasks
      .find({ bulkApp })
      .sort({ createdAt: -1, _id: -1 })
      .skip(query.page * query.size)
      .limit(query.size)
      .lean(),
    db.tasks.countDocuments({ bulkApp }),
  ])
  return { tasks: await toTasks(db, rows), total }
}

const HEAD = {
  ...{ appId: 1, lane: 1, state: 1, createdAt: 1, startsAt: 1, expiresAt: 1, finishedAt: 1 },
  'plan.complete': 1,
} as const

/** Reads the state and changes the task if it still has it; another change in between makes it look again. */
async function update(db: Db, id: number, change: TaskChange): Promise<boolean> {
  for (;;) {
    const head = await db.tasks.findOne({ _id: id }, HEAD).lean<TaskDoc>()
    if (!head || (change.ifState && !change.ifState.includes(head.state))) return false
    if (change.ifNoPlan && head.plan) return false
    const next = { ...head, state: change.state ?? head.state, finishedAt: change.finishedAt ?? head.finishedAt }
    const fields = {
      ...(change.state && { state: change.state }),
      ...(change.rate !== undefined && { rate: change.rate ?? undefined }),
      ...(change.canary && { canary: change.canary }),
      ...(change.startedAt && { startedAt: change.startedAt }),
      ...(change.finishedAt && { finishedAt: change.finishedAt }),
      ...planFields(change, head),
      ...flagsOf(next),
    }
    const planned = change.plan && { plan: trusted({ $exists: head.plan !== undefined }) }
    const same = { _id: id, state: { $eq: head.state }, ...planned }
    const { matchedCount } = await db.tasks.updateOne(same, setOrUnset(fields))
    if (matchedCount > 0) return true
  }
}

/** The ranges of a plan that is there stand where they stand. */
function planFields({ plan }: TaskChange, head: Pick<TaskDoc, 'plan'>): object {
  if (!plan) return {}
  return head.plan ? { 'plan.complete': plan.complete } : { plan: planRow(plan) }
}

async function finish(db: Db, ids: readonly number[]): Promise<string[]> {
  if (ids.length === 0) return []
  const heads = await db.tasks.find({ _id: trusted({ $in: ids }) }, { ...HEAD, 'plan.first.done': 1 }).lean<TaskDoc[]>()
  const sent = heads.filter((head) => head.state === 'sending')
  const ranges = await rangesOf(
    db,
    sent.filter((head) => !head.plan?.complete),
  )
  const sending = sent.filter((head) => isPlanned(head, ranges))
  const blocked = await withOpenChunks(db, sending)
  const ready = sending.filter((head) => !blocked.has(head._id))
  const [first] = ready
  if (!first) return []
  const finishedAt = await db.clock.now()
  const { runs, dueAt, openUntil, purgeAt } = flagsOf({ ...first, state: 'done', finishedAt })
  const op = randomUUID()
  const done = setOrUnset({ state: 'done', finishedAt, op, runs, dueAt, openUntil, purgeAt })
  const readyIds = ready.map((head) => head._id)
  const { modifiedCount } = await db.tasks.updateMany({ _id: trusted({ $in: readyIds }), state: 'sending' }, done)
  if (modifiedCount === readyIds.length) return readyIds.map(String)
  const mine = await db.tasks.find({ _id: trusted({ $in: readyIds }), op: { $eq: op } }, { _id: 1 }).lean()
  return mine.map((row) => String(row._id))
}

async function load(db: Db, appId: number, since: Date): Promise<{ running: number; created: number }> {
  const [running, created] = await Promise.all([
    db.tasks.countDocuments({ runs: appId }),
    db.tasks.countDocuments({ bulkApp: appId, createdAt: trusted({ $gte: since }) }),
  ])
  return { running, created }
}
