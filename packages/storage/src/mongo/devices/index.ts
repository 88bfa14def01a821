import type { Device, DeviceStore, InvalidToken } from '@fanfare/core'
import { trusted } from 'mongoose'
import { boundLast } from '../../common/bound-last.ts'
import type { Db } from '../connect.ts'
import { byIdsInOrder, rawOf } from '../rows.ts'
import type { DeviceDoc } from '../schemas.ts'
import { bind, userKey } from './bind.ts'
import { count, labelPage, maxId, page, splitPoints } from './pages.ts'

export function deviceStore(db: Db, maxPerUser: number): DeviceStore {
  const known = new Set<string>()
  return {
    bind: (bindings) => bind(db, { known, maxPerUser }, bindings),
    unbind: (appId, userId, deviceId, channelId) => unbind(db, { appId, userId, deviceId, channelId }),
    ofUsers: (asked) => ofUsers(db, asked, maxPerUser),
    usersExist: (asked) => usersExist(db, asked),
    byIds: (ids) => byIdsInOrder(db.devices, ids, toDevice),
    tokens: (ids) => tokens(db, ids),
    markInvalid: (tokens) => markInvalid(db, tokens),
    page: (range) => page(db, range),
    labelPage: (range) => labelPage(db, range),
    splitPoints: (channelId, upToId, parts) => splitPoints(db, { channelId, upToId, parts }),
    count: (channelId) => count(db, channelId),
    maxId: () => maxId(db),
  }
}

type Asked = readonly { appId: string; userId: string }[]

async function ofUsers(db: Db, asked: Asked, maxPerUser: number): Promise<Device[][]> {
  const byUser = new Map<string, Device[]>()
  await Promise.all(
    [...usersByApp(asked)].map(async ([appId, users]) => {
      for (const row of await liveRows(db, Number(appId), { users: [...users], maxPerUser })) {
        const key = userKey(appId, row.userId)
        const devices = byUser.get(key)
        if (devices) devices.push(toDevice(row))
        else byUser.set(key, [toDevice(row)])
      }
    }),
  )
  return asked.map(({ appId, userId }) => boundLast([...(byUser.get(userKey(appId, userId)) ?? [])], maxPerUser))
}

function usersByApp(asked: Asked): Map<string, Set<string>> {
  const byApp = new Map<string, Set<string>>()
  for (const { appId, userId } of asked) {
    const users = byApp.get(appId) ?? new Set()
    byApp.set(appId, users.add(userId))
  }
  return byApp
}

/** Users who have more devices, from before there was a bound, must not hold up the others: then each is asked for alone. */
async function liveRows(
  db: Db,
  appId: number,
  { users, maxPerUser }: { users: string[]; maxPerUser: number },
): Promise<DeviceDoc[]> {
  const most = users.length * maxPerUser
  const rows = await db.devices
    .find({ appId, userId: trusted({ $in: users }), live: true })
    .limit(most)
    .lean()
  if (rows.length < most || users.length === 1) return rows
  const alone = await Promise.all(users.map((user) => liveRows(db, appId, { users: [user], maxPerUser })))
  return alone.flat()
}

async function usersExist(db: Db, asked: Asked): Promise<boolean[]> {
  const keys = asked.map(({ appId, userId }) => userKey(appId, userId))
  const rows = await db.users.find({ _id: trusted({ $in: [...new Set(keys)] }) }).lean()
  const found = new Set(rows.map((row) => row._id))
  return keys.map((key) => found.has(key))
}

type Unbind = { appId: string; userId: string; deviceId: string; channelId: string | undefined }

async function unbind(db: Db, from: Unbind): Promise<void> {
  const rows = await db.devices.find({ appId: Number(from.appId), userId: { $eq: from.userId } }).lean()
  const gone = rows.filter(
    (row) =>
      row.deviceId === from.deviceId && (from.channelId === undefined || row.channelId === Number(from.channelId)),
  )
  if (gone.length > 0) await db.devices.deleteMany({ _id: trusted({ $in: gone.map((row) => row._id) }) })
}

/** A time stamp of the vendor that is older than the binding speaks of an earlier installation. */
async function markInvalid(db: Db, tokens: readonly InvalidToken[]): Promise<number> {
  if (tokens.length === 0) return 0
  const steps = tokens.map(({ id, token, since }) => ({
    updateOne: {
      filter: { _id: Number(id), token: { $eq: token }, live: true, ...(since && { updatedAt: { $lte: since } }) },
      update: { $set: { live: false } },
    },
  }))
  return (await rawOf(db.devices).bulkWrite(steps, { ordered: false })).modifiedCount
}

const toDevice = (row: DeviceDoc): Device => ({
  id: String(row._id),
  appId: String(row.appId),
  userId: row.userId,
  deviceId: row.deviceId,
  channelId: String(row.channelId),
  token: row.token,
  live: row.live,
  updatedAt: row.updatedAt,
})

/** Only what sending needs crosses the wire. */
async function tokens(db: Db, ids: readonly string[]): Promise<(string | null | undefined)[]> {
  const asked = trusted({ $in: ids.map(Number) })
  const rows = await db.devices.find({ _id: asked }, { token: 1, live: 1 }).lean()
  const byId = new Map(rows.map((row) => [String(row._id), row.live ? row.token : null]))
  return ids.map((id) => byId.get(id))
}
