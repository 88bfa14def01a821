import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Store } from '@fanfare/core'
import { afterAll, describe, expect, it, jest } from '@jest/globals'
import mongoose from 'mongoose'
import { openStore } from '../src/index.ts'
import { connectMongo, type Db } from '../src/mongo/connect.ts'
import { MIGRATIONS, type Migration, prepare } from '../src/mongo/migrations.ts'
import { copyOfSqlite, type Expected, expectedOf, FIXTURE_KEY, readAll, restoreMongo } from './first-version.ts'
import { MASTER_KEY, mongoFor } from './open-mongo.ts'

// SecantusDB is slow, and the machine may be busy.
jest.setTimeout(60_000)

/** Dates as they stand in JSON. */
const asJson = (value: unknown): object => JSON.parse(JSON.stringify(value)) as object

async function findsAll(store: Store, { ids, ...expected }: Expected): Promise<void> {
  expect(asJson(await readAll(store, ids))).toMatchObject(expected)
}

/** Ends what the first version began: its running task, its list in planning, its single. */
async function worksOn(store: Store, { ids }: Expected): Promise<void> {
  const [xiaomi = '', paused = ''] = ids.channels
  const [, running = '', list = ''] = ids.tasks
  const { id: vip = '' } = ids.labels[0] ?? {}
  const next = await store.takeIds(1)
  expect(next).toBeGreaterThan(Number(ids.tasks.at(-1)))
  await store.labels.addUsers(vip, ['user1', 'user8'])
  expect((await store.labels.byNames(ids.apps[0] ?? '', ['vip']))[0]?.count).toBe(4)
  await store.channels.update(paused, { pause: null, credential: 'another secret' })
  expect(await store.channels.credential(paused)).toBe('another secret')

  const chunks = [{ seq: 2, channelId: xiaomi, members: [{ deviceId: ids.devices[6] ?? '', userId: 'user7' }] }]
  expect(await store.tasks.addPlanned(list, 0, '0', { chunks, cursor: '12', done: true })).toBe(false)
  expect(await store.tasks.addPlanned(list, 0, '6', { chunks, cursor: '12', done: true })).toBe(true)
  await store.tasks.update(list, { state: 'sending' })
  const lost = await store.chunks.requeue(await store.chunks.lost(0, 100), 60_000)
  expect(lost.map((ref) => ref.seq).sort()).toEqual([0, 2, 3])
  const waited = [...(await store.chunks.promote(xiaomi, 100)), ...(await store.chunks.promote(paused, 100))]
  const refs = [...lost, ...waited, { taskId: running, seq: 1, gen: 0 }]
  const claimed = (await store.chunks.claim(refs, 60_000, 1000)).flatMap((found) => found?.chunk ?? [])
  const ended = claimed.map(({ taskId, seq, fence, members }) => {
    const outcomes = members.map((_, index) => [index, 'sent'] as const)
    return { taskId, seq, fence, outcomes, state: 'done' as const }
  })
  expect(await store.chunks.write(ended)).not.toContain(false)
  const left = (await store.chunks.ofTask(running, { limit: 100 })).filter((chunk) => chunk.state !== 'done')
  expect(left.map((chunk) => [chunk.seq, chunk.nextAt?.getUTCFullYear()])).toEqual([[1, 2098]])
  expect(await store.tasks.finish([list])).toEqual([list])
  expect((await store.tasks.counts(list))[0]).toMatchObject({ total: 6, byOutcome: { sent: 6 } })
}

describe('a SQLite file of the first version', () => {
  it('is found again whole, and worked on', async () => {
    const file = await copyOfSqlite()
    const expected = await expectedOf('sqlite')
    const store = await openStore(`sqlite:${file}`, { masterKey: FIXTURE_KEY })
    await findsAll(store, expected)
    await worksOn(store, expected)
    await store.close()
    await rm(dirname(file), { recursive: true })
  })
})

const mongo = await mongoFor(false)
const run = mongo ? describe : describe.skip
run('a Mongo database of the first version', () => {
  let databases = 0
  const newUrl = () => mongo?.database(`fanfare_migrations_${process.pid}_${databases++}`) ?? ''
  afterAll(() => mongo?.stop())

  async function first(): Promise<string> {
    const url = newUrl()
    await restoreMongo(url)
    return url
  }
  const open = (url: string, migrations: Migration[]) => connectMongo(url, (db) => prepare(db, migrations))
  const versionOf = async (db: Db) => (await db.schema.findOne({ _id: 'schema' }).lean())?.version

  it('is found again whole, and worked on', async () => {
    const url = await first()
    const expected = await expectedOf('mongo')
    const store = await openStore(url, { masterKey: FIXTURE_KEY })
    await findsAll(store, expected)
    await worksOn(store, expected)
    await store.close()
  })

  it('has its labels counted at their first look-up', async () => {
    const url = await first()
    const raw = await mongoose.createConnection(url).asPromise()
    const labels = raw.collection<{ _id: number; size: number }>('labels')
    await labels.updateMany({}, { $set: { size: 99 } })
    const { ids } = await expectedOf('mongo')
    const store = await openStore(url, { masterKey: FIXTURE_KEY })
    const names = ids.labels.map(({ name }) => name)
    expect(await store.labels.byNames(ids.apps[0] ?? '', names)).toMatchObject([
      { count: 3 },
      { count: 8 },
      { count: 0 },
    ])
    expect(await labels.find().sort({ _id: 1 }).toArray()).toMatchObject([3, 8, 0].map((size) => ({ size, open: {} })))
    await Promise.all([store.close(), raw.close()])
  })

  it('lets no planner of an older program go on, and a migrator that comes late undoes nothing', async () => {
    const url = await first()
    const { ids } = await expectedOf('mongo')
    const [, , list = ''] = ids.tasks
    const _id = Number(list) as never
    const raw = await mongoose.createConnection(url).asPromise()
    const tasks = raw.collection('tasks')
    const old = await tasks.findOne({ _id })
    const store = await openStore(url, { masterKey: FIXTURE_KEY })
    const commit = { $set: { 'plan.ranges.0.cursor': '12' }, $inc: { 'plan.ranges.0.planned': 6 } }
    expect((await tasks.updateOne({ _id, 'plan.ranges.0.cursor': '6' }, commit)).matchedCount).toBe(0)
    expect(await tasks.findOne({ _id })).not.toHaveProperty('steps')
    const chunks = [{ seq: 2, channelId: ids.channels[0] ?? '', members: [{ userId: 'user7' }] }]
    expect(await store.tasks.addPlanned(list, 0, '6', { chunks, cursor: '7', done: false })).toBe(true)
    await tasks.updateOne({ _id }, { $set: { steps: old?.['steps'] } })
    const late = await open(url, [...MIGRATIONS])
    await MIGRATIONS[6]?.(late.connection.db as never)
    expect((await store.tasks.byIds([list]))[0]?.plan?.ranges).toMatchObject([{ cursor: '7', planned: 7 }])
    expect((await store.chunks.ofTask(list, { limit: 10 })).map((chunk) => chunk.seq)).toEqual([0, 1, 2])
    await Promise.all([store.close(), raw.close(), late.connection.close()])
  })

  it('is migrated by one of many processes; the others wait for it', async () => {
    const url = await first()
    const begun: number[] = []
    const ended: number[] = []
    const entries = [2, 3].map(
      (version): Migration =>
        async (db) => {
          begun.push(version)
          await db.collection('apps').updateMany({}, { $set: { [`v${version}`]: true } })
          ended.push(version)
        },
    )
    const opened = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const db = await open(url, entries)
        expect(ended).toEqual([2, 3])
        return db
      }),
    )
    expect(begun).toEqual([2, 3])
    for (const db of opened) {
      expect(await versionOf(db)).toBe(3)
      await db.connection.close()
    }
  })

  it('goes on where a migration failed, and where a migrator died, once its lease has passed', async () => {
    const url = await first()
    const broken: Migration = () => Promise.reject(new Error('cut off'))
    const ran: string[] = []
    const entry =
      (name: string): Migration =>
      async () =>
        void ran.push(name)
    await expect(open(url, [entry('a'), broken])).rejects.toThrow('cut off')
    const again = await open(url, [entry('not again'), entry('b')])
    expect(ran).toEqual(['a', 'b'])
    const until = new Date((await again.clock.exact()).getTime() + 1000)
    await again.leases.create({ _id: 'schema', holder: 'dead', until })
    const third = await open(url, [entry('not again'), entry('nor this'), entry('c')])
    expect((await third.clock.exact()).getTime()).toBeGreaterThanOrEqual(until.getTime())
    expect(ran).toEqual(['a', 'b', 'c'])
    expect(await versionOf(third)).toBe(4)
    await Promise.all([again.connection.close(), third.connection.close()])
  })

  it('is at the newest version where it is empty, and no program of an older one takes it', async () => {
    const url = newUrl()
    const stores = await Promise.all([1, 2, 3].map(() => openStore(url, { masterKey: MASTER_KEY })))
    await Promise.all(stores.map((store) => store.close()))
    const raw = await mongoose.createConnection(url).asPromise()
    const schema = raw.collection<{ _id: string; version: number }>('schema')
    expect(await schema.find().toArray()).toEqual([{ _id: 'schema', version: 1 + MIGRATIONS.length }])
    await schema.updateOne({ _id: 'schema' }, { $set: { version: 99 } })
    await expect(openStore(url, { masterKey: MASTER_KEY })).rejects.toThrow(
      `the store has schema version 99, this program knows ${1 + MIGRATIONS.length}: upgrade it`,
    )
    await raw.close()
  })
})
