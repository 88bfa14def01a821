import type { DevicePage, DeviceRange, LabelRange } from '@fanfare/core'
import { trusted } from 'mongoose'
import { fromCursor, toCursor } from '../../common/cursor.ts'
import type { Db } from '../connect.ts'

type Found = { id: number; userId: string }

/** Ids looked at for each device asked for, at first, and how much further each next look reaches. */
const IDS_PER_DEVICE = 2
const FURTHER = 4

/**
 * Looks at a bounded piece of the id space at a time, so that a page costs the same at the start of a channel with
 * millions of devices as at its end, also on a server that collects a range before it cuts it (SecantusDB). Where ids
 * stand close together, as they do for one large channel, that is one query.
 */
export async function page(db: Db, range: DeviceRange): Promise<DevicePage> {
  const upTo = Number(range.upToId)
  const deviceIds: string[] = []
  let reach = range.limit * IDS_PER_DEVICE
  for (let above = Number(range.after); above < upTo && deviceIds.length < range.limit; reach *= FURTHER) {
    const end = Math.min(above + reach, upTo)
    const rows = await db.devices
      .find(idRange(range.channelId, above, end), { _id: 1 })
      .sort({ _id: 1 })
      .limit(range.limit - deviceIds.length)
      .lean()
    for (const row of rows) deviceIds.push(String(row._id))
    above = end
  }
  const last = deviceIds.at(-1)
  return last !== undefined && deviceIds.length === range.limit ? { deviceIds, next: last } : { deviceIds }
}

/**
 * One range scan of the index (channelId, live, _id), which holds all that a page asks for. `upTo` is
 * among them. (`$lte` would say the same, but SecantusDB 0.7 leaves the bound itself out of a compound index.)
 */
const idRange = (channelId: string, above: number, upTo: number) => ({
  channelId: Number(channelId),
  live: true,
  _id: trusted({ $gt: above, $lt: upTo + 1 }),
})

/** The user and the device where the next page goes on; `ALL` stands after all devices of the user. */
type Place = [user: string, device: number]
const ALL = Number.MAX_SAFE_INTEGER

/**
 * Walks the members of the smallest label and keeps those of all others. The window of users keeps the cost of a page
 * bounded where the intersection is thin: a page may be short, even empty, with `next`.
 */
export async function labelPage(db: Db, range: LabelRange): Promise<DevicePage> {
  const [smallest, ...others] = await labelsOf(db, range)
  if (smallest === undefined) return { deviceIds: [] }
  const [user = '', device = 0] = range.after === '' ? [] : fromCursor<Place>(range.after)
  const size = range.limit + 1
  const window = await usersFrom(db, smallest, user, size)
  const lastUser = window.at(-1)
  if (lastUser === undefined) return { deviceIds: [] }
  const inAll = await inEvery(db, others, window)
  const found = (await devicesOf(db, range, inAll))
    .filter((each) => each.userId !== user || each.id > device)
    .slice(0, range.limit)
  const deviceIds = found.map(({ id }) => String(id))
  const last = found.at(-1)
  if (last && found.length === range.limit) return { deviceIds, next: toCursor([last.userId, last.id]) }
  return window.length === size ? { deviceIds, next: toCursor([lastUser, ALL]) } : { deviceIds }
}

/** The ids of the labels, the smallest first; none where one of them does not exist. */
async function labelsOf(db: Db, range: LabelRange): Promise<number[]> {
  const names = [...new Set(range.labels)]
  const rows = await db.labels.find({ appId: Number(range.appId), name: trusted({ $in: names }) }).lean()
  if (rows.length < names.length) return []
  return rows.sort((a, b) => a.size - b.size || a._id - b._id).map((row) => row._id)
}

async function usersFrom(db: Db, labelId: number, from: string, limit: number): Promise<string[]> {
  const rows = await db.labelMembers
    .find({ labelId, userId: trusted({ $gte: from }) }, { userId: 1 })
    .sort({ userId: 1 })
    .limit(limit)
    .lean()
  return rows.map((row) => row.userId)
}

async function inEvery(db: Db, labels: readonly number[], users: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    labels.map(async (labelId) => {
      const rows = await db.labelMembers.find({ labelId, userId: trusted({ $in: users }) }, { userId: 1 }).lean()
      return new Set(rows.map((row) => row.userId))
    }),
  )
  return users.filter((user) => found.every((members) => members.has(user)))
}

/** In the order of the users, which is the store's. */
async function devicesOf(db: Db, range: LabelRange, users: readonly string[]): Promise<Found[]> {
  if (users.length === 0) return []
  const rows = await db.devices.find({ appId: Number(range.appId), userId: trusted({ $in: users }) }).lean()
  const byUser = new Map<string, Found[]>(users.map((user) => [user, []]))
  for (const row of rows.sort((a, b) => a._id - b._id)) {
    const mine = row.live && row.channelId === Number(range.channelId) && row._id <= Number(range.upToId)
    if (mine) byUser.get(row.userId)?.push({ id: row._id, userId: row.userId })
  }
  return [...byUser.values()].flat()
}

export const count = (db: Db, channelId: string): Promise<number> =>
  db.devices.countDocuments({ channelId: Number(channelId), live: true })

/** The ids bound so far, live or dead: ids rise, so what is bound later is above it. */
export async function maxId(db: Db): Promise<string> {
  const row = await db.devices.findOne({}, { _id: 1 }).sort({ _id: -1 }).lean()
  return String(row?._id ?? 0)
}

/** Lower bounds, exclusive, of at most `parts` ranges of equal size; the first is '0'. */
export async function splitPoints(
  db: Db,
  ask: { channelId: string; upToId: string; parts: number },
): Promise<string[]> {
  const whole = idRange(ask.channelId, 0, Number(ask.upToId))
  const total = ask.parts > 1 ? await db.devices.countDocuments(whole) : 0
  if (total < ask.parts) return ['0']
  const bounds = ['0']
  for (let part = 1; part < ask.parts; part++) {
    const above = Number(bounds.at(-1))
    const step = Math.floor((total * part) / ask.parts) - Math.floor((total * (part - 1)) / ask.parts)
    const row = await db.devices
      .findOne(idRange(ask.channelId, above, Number(ask.upToId)), { _id: 1 })
      .sort({ _id: 1 })
      .skip(step - 1)
      .lean()
    if (row) bounds.push(String(row._id))
  }
  return bounds
}
