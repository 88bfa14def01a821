import type { CreateResult, NewTask, Taken } from '@fanfare/core'
import { StoreDownError } from '@fanfare/core'
import { trusted } from 'mongoose'
import { newRow } from '../chunks/rows.ts'
import { later } from '../clock.ts'
import type { Db } from '../connect.ts'
import { storeErrors } from '../errors.ts'
import { insertAll } from '../rows.ts'
import type { IdemDoc } from '../schemas.ts'
import { NO_APP, taskRow } from './rows.ts'

/** A key of this age is free again, whether purged or not. */
export const KEY_TTL_MS = 24 * 3600_000
/** Chunks whose task does not follow within this are given up; `removeOrphans` waits twice as long. */
const COMMIT_WITHIN_MS = 30_000
const KEY_TRIES = 4

/**
 * The chunks first, then the tasks, each list in one unordered bulk. The task row is the commit point: a chunk without
 * its task is never claimed. A task that is there already (a retry) is kept. A taken key leaves its own task out, and
 * its chunks are removed again. Rejects where this process was away for so long that the sweeper gave a task up.
 */
export async function create(db: Db, tasks: readonly NewTask[]): Promise<CreateResult[]> {
  if (tasks.length === 0) return []
  const begun = performance.now()
  await storeErrors(() => putChunks(db, tasks), { nothingWritten: true })
  if (performance.now() - begun > COMMIT_WITHIN_MS) {
    throw new StoreDownError('the chunks took too long to write', { nothingWritten: true })
  }
  const { results, present } = await commit(db, tasks)
  await forget(db, refused(tasks, results))
  if (present.length > 0 && (await givenUp(db, present)).length > 0) {
    throw new StoreDownError('the chunks took too long to write, they were given up')
  }
  return results
}

async function putChunks(db: Db, tasks: readonly NewTask[]): Promise<void> {
  const now = await db.clock.now()
  const rows = tasks.flatMap(({ task, chunks }) =>
    chunks.map((chunk) => newRow(task, chunk, { now, state: 'planned' })),
  )
  await insertAll(db.chunks, rows)
}

type Committed = { results: CreateResult[]; present: number[] }

/**
 * Inserts the task rows; where a key stands in the way, it is looked at, and tried again where it was free. `present`:
 * tasks whose id was there already.
 */
async function commit(db: Db, tasks: readonly NewTask[]): Promise<Committed> {
  const results: CreateResult[] = tasks.map(() => 'created')
  const present: number[] = []
  let open = tasks.map((task, index) => ({ task, index }))
  for (let tries = 0; open.length > 0; tries++) {
    if (tries === KEY_TRIES) throw new StoreDownError('an idempotency key changes hands too often')
    const now = await db.clock.now()
    const rows = open.map(({ task }) => taskRow(task))
    const met = await insertAll(db.tasks, rows)
    const keys = met.flatMap(({ index, key }) => (key.includes('idem') ? (open[index] ?? []) : []))
    present.push(...met.flatMap(({ index, key }) => (key.includes('idem') ? [] : (rows[index]?._id ?? []))))
    const found = await Promise.all(keys.map(({ task }) => ownerOf(db, task, now)))
    keys.forEach(({ index }, position) => {
      results[index] = found[position] ?? 'created'
    })
    open = keys.filter((_, position) => found[position] === undefined)
  }
  return { results, present }
}

/** Those of the tasks that the sweeper gave up; their chunks are removed, also those written since. */
async function givenUp(db: Db, taskIds: readonly number[]): Promise<number[]> {
  const rows = await db.tasks.find({ _id: trusted({ $in: taskIds }), appId: NO_APP }, { _id: 1 }).lean()
  const ids = rows.map((row) => row._id)
  await forget(db, ids)
  return ids
}

/** Who has the key; `created` where it is this very task (a retry), undefined where the key is free by now. */
async function ownerOf(db: Db, { task, idempotency }: NewTask, now: Date): Promise<CreateResult | undefined> {
  const filter = { appId: Number(task.appId), 'idem.key': { $eq: idempotency?.key ?? '' } }
  const row = await db.tasks.findOne(filter, { idem: 1 }).lean()
  if (!row?.idem) return undefined
  if (row._id === Number(task.id)) return 'created'
  if (row.idem.at > later(now, -KEY_TTL_MS)) return { taken: toTaken(row._id, row.idem) }
  await db.tasks.updateOne({ _id: row._id, 'idem.at': { $eq: row.idem.at } }, { $unset: { idem: 1 } })
  return undefined
}

const toTaken = (taskId: number, { fp, answer }: IdemDoc): Taken => ({
  ...{ fingerprint: fp, taskId: String(taskId) },
  ...(answer && { answer }),
})

/** What the key of an app was used for in the last 24 h. */
export async function keyOwner(db: Db, appId: number, key: string): Promise<Taken | undefined> {
  const row = await db.tasks.findOne({ appId, 'idem.key': { $eq: key } }, { idem: 1 }).lean()
  const since = later(await db.clock.now(), -KEY_TTL_MS)
  return row?.idem && row.idem.at > since ? toTaken(row._id, row.idem) : undefined
}

const refused = (tasks: readonly NewTask[], results: readonly CreateResult[]): number[] =>
  tasks.flatMap(({ task, chunks }, index) => (results[index] !== 'created' && chunks.length > 0 ? Number(task.id) : []))

/** Chunks of tasks that were refused. A crash before this leaves orphans, which the sweeper removes. */
async function forget(db: Db, taskIds: readonly number[]): Promise<void> {
  if (taskIds.length > 0) await db.chunks.deleteMany({ taskId: trusted({ $in: taskIds }) })
}
