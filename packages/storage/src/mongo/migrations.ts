import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { mongo } from 'mongoose'
import type { Db } from './connect.ts'
import { duplicatesOf, isDuplicate } from './errors.ts'
import { lease } from './leases.ts'
import { rawOf } from './rows.ts'

/**
 * Brings a database of one version to the next. It may be cut off anywhere and is then run again from its start, beside
 * processes that work on the database; so every step of it is one that may be repeated. Reads and writes raw documents:
 * what the models say may change later, an entry that was released never does.
 */
export type Migration = (db: mongo.Db) => Promise<void>

/** One entry per version; a database of version n gets the entries from n − 1 on. Version 1 had no `schema` document. */
export const MIGRATIONS: readonly Migration[] = [
  // To 2: ranges say whose rows count (`by` of StepDoc). Where it is absent they count whoever wrote them, as before;
  // only the version rises, so that no program opens the database that would not look at it.
  () => Promise.resolve(),
  // To 3: apps may be `disabled` and have `tokensFrom`. Absent means no; a program that does not look must stay away.
  () => Promise.resolve(),
  // To 4: revoked tokens have the `appId` of their app, so that it can have so many only. Older ones count for none.
  () => Promise.resolve(),
  // To 5: channels say whose limit they count against (`account`), each from its first opening; and `accountJoins`.
  async (db) => {
    await db.collection('channels').createIndex({ 'account.id': 1, platform: 1 }, { sparse: true })
  },
  // To 6: single pushes of paused channels wait (`parks` of ChunkFlags). Only the version rises, so that no program opens
  // the database that would leave them there.
  () => Promise.resolve(),
  // To 7: labels know how many members they have. Each gets a mark that was left behind (label-size.ts), so that its next
  // look-up counts them: counting all of them here might take longer than a process should need to start.
  async (db) => {
    const left = { at: new Date(0), counts: false }
    await db.collection('labels').updateMany({}, { $set: { 'open.migration': left }, $inc: { rev: 1 } })
  },
  rangesApart,
]

type OldRange = { cursor: string; planned: number; done: boolean }
type OldTask = { plan?: { first?: OldRange[] }; steps?: Record<string, object>; expiresAt: Date }

/**
 * To 8: where the ranges of a plan stand is a document of each. First the plan gets a new name, so that a planner of an
 * older program moves it no more; then its ranges are written as they stand in it, those that are there left as they are.
 */
async function rangesApart(db: mongo.Db): Promise<void> {
  const tasks = db.collection<OldTask>('tasks')
  const bulk = { bulkApp: { $gt: 0 } }
  await tasks.updateMany({ ...bulk, 'plan.ranges': { $exists: true } }, { $rename: { 'plan.ranges': 'plan.first' } })
  const fields = { 'plan.first': 1, steps: 1, expiresAt: 1 }
  for await (const task of tasks.find({ ...bulk, steps: { $exists: true } }, { projection: fields })) {
    const { _id, plan, steps = {}, expiresAt: at } = task
    const rows = (plan?.first ?? []).flatMap(({ cursor, planned, done }, place) => {
      const step = steps[`r${place}`]
      return step ? [{ _id: `${_id}.${place}`, taskId: _id, place, cursor, planned, done, ...step, at }] : []
    })
    if (rows.length > 0) await duplicatesOf(db.collection('ranges').insertMany(rows as never[], { ordered: false }))
    await tasks.updateOne({ _id }, { $unset: { steps: 1 } })
  }
}

/** In `schema` as `_id`, and the name of the lease under which it is raised. */
const SCHEMA = 'schema'
/** A migrator that was killed is followed by another after this. */
const LEASE_MS = 30_000
const RENEW_MS = 5000
const LOOK_MS = 100

/**
 * Raises the database to the newest version and makes the indexes that are missing; an empty one is at it at once.
 * Several processes may do it at once: one migrates, the others wait for it. Throws where the database is of a newer
 * program.
 */
export async function prepare(db: Db, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  await migrate(db, migrations)
  await Promise.all(Object.values(db.connection.models).map((model) => model.createIndexes()))
}

async function migrate(db: Db, migrations: readonly Migration[]): Promise<void> {
  const newest = 1 + migrations.length
  const holder = randomUUID()
  for (;;) {
    const version = (await rawOf(db.schema).findOne({ _id: SCHEMA }))?.version
    if (version === newest) return
    if (version === undefined) await begin(db, newest)
    else if (version > newest) {
      throw new Error(`the store has schema version ${version}, this program knows ${newest}: upgrade it`)
    } else if (await lease(db, SCHEMA, holder, LEASE_MS)) await raise(db, holder, migrations)
    else await sleep(LOOK_MS)
  }
}

/** Every version had a collection of apps: a database without one is empty. */
async function begin(db: Db, newest: number): Promise<void> {
  const found = await driver(db).listCollections({ name: db.apps.collection.name }, { nameOnly: true }).toArray()
  const version = found.length > 0 ? 1 : newest
  await isDuplicate(rawOf(db.schema).insertOne({ _id: SCHEMA, version }))
}

/** All that is missing, one after the other; a version is written when its entry is through. */
async function raise(db: Db, holder: string, migrations: readonly Migration[]): Promise<void> {
  const renew = () => void lease(db, SCHEMA, holder, LEASE_MS).catch(() => undefined)
  const renewing = setInterval(renew, RENEW_MS)
  try {
    for (;;) {
      const version = (await rawOf(db.schema).findOne({ _id: SCHEMA }))?.version ?? 1
      const migration = migrations[version - 1]
      if (!migration) return
      await migration(driver(db))
      await rawOf(db.schema).updateOne({ _id: SCHEMA, version }, { $set: { version: version + 1 } })
    }
  } finally {
    clearInterval(renewing)
    await lease(db, SCHEMA, holder, 0).catch(() => undefined)
  }
}

function driver(db: Db): mongo.Db {
  if (!db.connection.db) throw new Error('the connection to the store is not open')
  return db.connection.db as unknown as mongo.Db
}
