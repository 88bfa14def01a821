import type { Binding } from '@fanfare/core'
import { StoreDownError } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from '../connect.ts'
import { duplicatesOf } from '../errors.ts'
import { insertAll, rawOf, slices, stored } from '../rows.ts'
import type { DeviceDoc } from '../schemas.ts'

const BIND_STEP = 500
/** Racing bindings of one token meet in a unique index; who loses looks again. */
const BIND_TRIES = 8
/** Users that are known to exist are not written again; the set is emptied when it is this large. */
const KNOWN_USERS = 100_000

export const userKey = (appId: string | number, userId: string): string => `${appId}/${stored(userId)}`

/** `known`: users that are not to be written again. */
type Users = { known: Set<string>; maxPerUser: number }

export async function bind(db: Db, { known, maxPerUser }: Users, bindings: readonly Binding[]): Promise<void> {
  for (const step of slices(bindings, BIND_STEP)) {
    const { kept, lost } = settle(step)
    await addUsers(db, known, step)
    if (lost.length > 0) await remove(db, await rowsOf(db, lost))
    await bindSettled(db, kept)
    await dropOldest(db, kept, maxPerUser)
  }
}

/** Users exist from the first binding or label membership on. */
export async function addUsers(
  db: Db,
  known: Set<string>,
  users: readonly { appId: string; userId: string }[],
): Promise<void> {
  const keys = new Set(users.map(({ appId, userId }) => userKey(appId, userId)))
  const fresh = [...keys].filter((key) => !known.has(key))
  if (fresh.length === 0) return
  const rows = fresh.map((_id) => ({ _id }))
  await insertAll(db.users, rows)
  if (known.size > KNOWN_USERS) known.clear()
  for (const key of fresh) known.add(key)
}

const rowKey = (row: { appId: string | number; userId: string; deviceId: string; channelId: string | number }) =>
  JSON.stringify([Number(row.appId), stored(row.userId), stored(row.deviceId), Number(row.channelId)])

const tokenKey = (row: { channelId: string | number; token: string }) => `${row.channelId} ${stored(row.token)}`

/**
 * What a list of bindings comes to, each in its turn: of one row's bindings the last holds, of one token's too. A row
 * whose last token went to a later binding of the list is `lost` and goes away.
 */
function settle(bindings: readonly Binding[]): { kept: Binding[]; lost: Binding[] } {
  const kept: Binding[] = []
  const lost: Binding[] = []
  const rows = new Set<string>()
  const tokens = new Set<string>()
  for (const binding of [...bindings].reverse()) {
    const row = rowKey(binding)
    if (rows.has(row)) continue
    rows.add(row)
    const token = tokenKey(binding)
    if (tokens.has(token)) lost.push(binding)
    else kept.push(binding)
    tokens.add(token)
  }
  return { kept: kept.reverse(), lost }
}

/** A longer list is taken for an import of new devices: it is inserted first, and only what meets a row is looked at. */
const IMPORT_SIZE = 50

async function bindSettled(db: Db, bindings: readonly Binding[]): Promise<void> {
  let open = bindings.length >= IMPORT_SIZE ? await put(db, bindings, new Map()) : bindings
  for (let tries = 0; open.length > 0; tries++) {
    if (tries === BIND_TRIES) throw new StoreDownError('bindings of the same tokens do not come to rest')
    const [rows, holders] = await Promise.all([rowsOf(db, open), holdersOf(db, open)])
    const wanted = new Map(open.map((binding) => [tokenKey(binding), rowKey(binding)]))
    const robbed = holders.filter((row) => wanted.get(tokenKey(row)) !== rowKey(row))
    await remove(db, robbed)
    open = await put(db, open, without(rows, robbed))
  }
}

function without(rows: readonly DeviceDoc[], robbed: readonly DeviceDoc[]): Map<string, DeviceDoc> {
  const gone = new Set(robbed.map((row) => row._id))
  return new Map(rows.filter((row) => !gone.has(row._id)).map((row) => [rowKey(row), row]))
}

/** Inserts new rows and updates those that are there; answers the bindings that met another's. */
async function put(db: Db, bindings: readonly Binding[], rows: Map<string, DeviceDoc>): Promise<Binding[]> {
  const updatedAt = await db.clock.now()
  const steps = bindings.map((binding) => {
    const { token } = binding
    const row = rows.get(rowKey(binding))
    if (!row) return { insertOne: { document: toRow(binding, updatedAt) } }
    return { updateOne: { filter: { _id: row._id }, update: { $set: { token, live: true, updatedAt } } } }
  })
  const met = await duplicatesOf(rawOf(db.devices).bulkWrite(steps, { ordered: false }))
  return met.flatMap(({ index }) => bindings[index] ?? [])
}

const toRow = (binding: Binding, updatedAt: Date): DeviceDoc => ({
  _id: Number(binding.id),
  appId: Number(binding.appId),
  userId: binding.userId,
  deviceId: binding.deviceId,
  channelId: Number(binding.channelId),
  token: binding.token,
  live: true,
  updatedAt,
})

/** Of a user who has thousands, from before there was a bound, so many are looked at with each binding. */
const MOST_SEEN = 1000

/** Of users who have more than the bound the dead devices go first, then those bound longest ago. */
async function dropOldest(db: Db, bindings: readonly Binding[], maxPerUser: number): Promise<void> {
  for (const [appId, users] of grouped(bindings, 'appId', 'userId')) {
    const most = users.length * (maxPerUser + 1)
    const rows = await seen(db, { appId, users }, most)
    const alone =
      rows.length < most ? [Promise.resolve(rows)] : users.map((user) => seen(db, { appId, users: [user] }, MOST_SEEN))
    const over = (await Promise.all(alone)).flatMap((some) => overOf(some, maxPerUser))
    if (over.length > 0) await db.devices.deleteMany({ _id: trusted({ $in: over }) })
  }
}

type Seen = Pick<DeviceDoc, '_id' | 'userId' | 'live' | 'updatedAt'>

const seen = (db: Db, of: { appId: number; users: string[] }, most: number): Promise<Seen[]> =>
  db.devices
    .find({ appId: of.appId, userId: trusted({ $in: of.users }) }, { userId: 1, live: 1, updatedAt: 1 })
    .limit(most)
    .lean()

function overOf(rows: readonly Seen[], maxPerUser: number): number[] {
  const byUser = new Map<string, Seen[]>()
  for (const row of rows) {
    const own = byUser.get(row.userId)
    if (own) own.push(row)
    else byUser.set(row.userId, [row])
  }
  return [...byUser.values()].flatMap((own) =>
    (own.length > maxPerUser ? own.sort(byUse).slice(maxPerUser) : []).map((row) => row._id),
  )
}

const byUse = (a: Seen, b: Seen): number =>
  Number(b.live) - Number(a.live) || b.updatedAt.getTime() - a.updatedAt.getTime() || b._id - a._id

/** The rows of exactly these users, devices and channels. */
async function rowsOf(db: Db, bindings: readonly Binding[]): Promise<DeviceDoc[]> {
  const keys = new Set(bindings.map(rowKey))
  const byApp = grouped(bindings, 'appId', 'userId')
  const devices = [...new Set(bindings.map(({ deviceId }) => deviceId))]
  const found = await Promise.all(
    byApp.map(([appId, users]) =>
      db.devices.find({ appId, userId: trusted({ $in: users }), deviceId: trusted({ $in: devices }) }).lean(),
    ),
  )
  return found.flat().filter((row) => keys.has(rowKey(row)))
}

/** The rows that hold these tokens now. */
async function holdersOf(db: Db, bindings: readonly Binding[]): Promise<DeviceDoc[]> {
  const byChannel = grouped(bindings, 'channelId', 'token')
  const found = await Promise.all(
    byChannel.map(([channelId, tokens]) => db.devices.find({ channelId, token: trusted({ $in: tokens }) }).lean()),
  )
  return found.flat()
}

function grouped(bindings: readonly Binding[], by: 'appId' | 'channelId', what: 'userId' | 'token') {
  const groups = new Map<number, Set<string>>()
  for (const binding of bindings) {
    const group = groups.get(Number(binding[by])) ?? new Set()
    groups.set(Number(binding[by]), group.add(binding[what]))
  }
  return [...groups].map(([key, values]): [number, string[]] => [key, [...values]])
}

/** Each only if it still holds the token it was found with. */
async function remove(db: Db, rows: readonly DeviceDoc[]): Promise<void> {
  if (rows.length === 0) return
  const ids = rows.map((row) => row._id)
  const tokens = [...new Set(rows.map((row) => row.token))]
  await db.devices.deleteMany({ _id: trusted({ $in: ids }), token: trusted({ $in: tokens }) })
}
