import { copyFile, mkdtemp, readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Store, sentenceOfPause } from '@fanfare/core'
import mongoose, { type mongo } from 'mongoose'

const FIRST = fileURLToPath(new URL('./fixtures/first/', import.meta.url))
const { EJSON } = mongoose.mongo.BSON

/** Seals nothing but the fixture (fixtures/first/README.md). */
export const FIXTURE_KEY = Buffer.alloc(32, 'fanfare fixture ')

type Ids = {
  apps: string[]
  channels: string[]
  users: { appId: string; userId: string }[]
  devices: string[]
  labels: { id: string; name: string }[]
  tasks: string[]
}
/** What the interface of the store answered when the fixture was written, as JSON. */
export type Expected = { ids: Ids } & Record<string, unknown>

export async function expectedOf(store: 'sqlite' | 'mongo'): Promise<Expected> {
  const all = JSON.parse(await readFile(join(FIRST, 'expected.json'), 'utf8')) as Record<string, Expected>
  const expected = all[store]
  if (!expected) throw new Error(`the fixture has no ${store}`)
  return expected
}

/** A copy of the file; answers its path. */
export async function copyOfSqlite(): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'fanfare-first-')), 'first.sqlite')
  await copyFile(join(FIRST, 'first.sqlite'), file)
  return file
}

type Dump = { indexes: mongo.IndexDescription[]; documents: mongo.BSON.Document[] }

/** Writes the dump into an empty database. */
export async function restoreMongo(url: string): Promise<void> {
  const connection = await mongoose.createConnection(url).asPromise()
  for (const file of await readdir(join(FIRST, 'mongo'))) {
    const text = await readFile(join(FIRST, 'mongo', file), 'utf8')
    const { indexes, documents } = EJSON.parse(text, { relaxed: false }) as unknown as Dump
    const collection = connection.collection(basename(file, '.json'))
    if (indexes.length > 0) await collection.createIndexes(indexes)
    await collection.insertMany(documents)
  }
  await connection.close()
}

/** The same questions that `expected.json` answers. */
export async function readAll(store: Store, ids: Ids): Promise<Record<string, unknown>> {
  const [shop = ''] = ids.apps
  const names = ids.labels.map(({ name }) => name)
  return {
    apps: await store.apps.byIds(ids.apps),
    channels: (await store.channels.byIds(ids.channels)).map(
      (channel) => channel && { ...channel, ...(channel.pause && { pausedFor: sentenceOfPause(channel.pause) }) },
    ),
    credentials: await Promise.all(ids.channels.map((id) => store.channels.credential(id))),
    devices: await store.devices.byIds(ids.devices),
    tokens: await store.devices.tokens(ids.devices),
    ofUsers: await store.devices.ofUsers(ids.users),
    usersExist: await store.devices.usersExist(ids.users),
    maxDeviceId: await store.devices.maxId(),
    labels: await store.labels.byNames(shop, names),
    members: await Promise.all(ids.labels.map(({ id }) => store.labels.members(id, 100))),
    tasks: await store.tasks.byIds(ids.tasks),
    counts: await Promise.all(ids.tasks.map((id) => store.tasks.counts(id))),
    chunks: await Promise.all(ids.tasks.map((id) => store.chunks.ofTask(id, { limit: 100 }))),
    page: await store.tasks.page(shop, { page: 0, size: 100 }),
    load: await store.tasks.load(shop, new Date(0)),
    keys: { once: await store.tasks.byKey(shop, 'once'), now: await store.tasks.byKey(shop, 'now') },
    revoked: await store.tokens.revokedSince(new Date(0)),
  }
}
