import type { Device, DeviceStore, InvalidToken } from '@fanfare/core'
import { boundLast } from '../../common/bound-last.ts'
import type { Db } from '../db.ts'
import { toJson, toKey } from '../db.ts'
import { bind } from './bind.ts'
import { count, labelPage, maxId, page, splitPoints } from './pages.ts'

export function deviceStore(db: Db, maxPerUser: number): DeviceStore {
  return {
    bind: (bindings) => bind(db, bindings, maxPerUser),
    unbind: (appId, userId, deviceId, channelId) => unbind(db, { appId, userId, deviceId, channelId }),
    ofUsers: (asked) => db.read(() => ofUsers(db, asked, maxPerUser)),
    usersExist: (asked) => db.read(() => usersExist(db, asked)),
    byIds: (ids) => db.read(() => byIds(db, ids)),
    tokens: (ids) => db.read(() => tokens(db, ids)),
    markInvalid: (tokens) => markInvalid(db, tokens),
    page: (range) => db.read(() => page(db, range)),
    labelPage: (range) => db.read(() => labelPage(db, range)),
    splitPoints: (channelId, upToId, parts) => db.read(() => splitPoints(db, { channelId, upToId, parts })),
    count: (channelId) => count(db, channelId),
    maxId: () => db.read(() => maxId(db)),
  }
}

type Asked = readonly { appId: string; userId: string }[]
type DeviceRow = [
  id: number,
  app: number,
  user: string,
  device: string,
  channel: number,
  token: string,
  live: number,
  at: number,
]

const COLUMNS = 'json_array(d.id, d.app, d.user, d.device, d.channel, d.token, d.live, d.updated_at)'
const OF_USERS = `
  select json_group_array(json_array(d.key, ${COLUMNS})) from (
    select j.key, d.* from json_each(?) j
    cross join devices d on d.app = j.value ->> 0 and d.user = j.value ->> 1 and d.live = 1 limit ?) d`
const BY_IDS = `
  select json_group_array(${COLUMNS}) from json_each(?) j cross join devices d on d.id = j.value`
/** In the order asked: the token, 0 where it is dead, null where there is no device. */
const TOKENS = `
  select json_group_array(iif(d.live, d.token, d.live)) from json_each(?) j left join devices d on d.id = j.value`
const USERS_EXIST = `
  select json_group_array(j.key) from json_each(?) j
  cross join users u on u.app = j.value ->> 0 and u.user = j.value ->> 1`

const pairs = (asked: Asked): string => toJson(asked.map(({ appId, userId }) => [toKey(appId), userId]))

/** Users who have more devices, from before there was a bound, must not hold up the others: then each is asked for alone. */
function ofUsers(db: Db, asked: Asked, maxPerUser: number): Device[][] {
  const most = asked.length * maxPerUser
  const rows = db.json<[number, DeviceRow][]>(OF_USERS, [pairs(asked), most])
  if (rows.length === most && asked.length > 1) return asked.flatMap((one) => ofUsers(db, [one], maxPerUser))
  const answer: Device[][] = asked.map(() => [])
  for (const [index, row] of rows) answer[index]?.push(toDevice(row))
  return answer.map((devices) => (devices.length > 1 ? boundLast(devices, maxPerUser) : devices))
}

function usersExist(db: Db, asked: Asked): boolean[] {
  const found = new Set(db.json<number[]>(USERS_EXIST, [pairs(asked)]))
  return asked.map((_, index) => found.has(index))
}

/** Ids are digits, and so a list of them is JSON already. What is no id matches nothing. */
const keysOf = (ids: readonly string[]): string => {
  const list = ids.join()
  return /^[1-9]\d*(?:,[1-9]\d*)*$/.test(list) ? `[${list}]` : JSON.stringify(ids.map(toKey))
}

function byIds(db: Db, ids: readonly string[]): (Device | undefined)[] {
  const rows = db.json<DeviceRow[]>(BY_IDS, [keysOf(ids)])
  const byId = new Map(rows.map((row) => [String(row[0]), toDevice(row)]))
  return ids.map((id) => byId.get(id))
}

function tokens(db: Db, ids: readonly string[]): (string | null | undefined)[] {
  const found = db.json<(string | 0 | null)[]>(TOKENS, [keysOf(ids)])
  return found.map((token) => (token === 0 ? null : (token ?? undefined)))
}

function unbind(
  db: Db,
  from: { appId: string; userId: string; deviceId: string; channelId: string | undefined },
): Promise<void> {
  return db.write(() => {
    const query = db.build
      .deleteFrom('devices')
      .where('app', '=', toKey(from.appId))
      .where('user', '=', from.userId)
      .where('device', '=', from.deviceId)
    db.change(from.channelId === undefined ? query : query.where('channel', '=', toKey(from.channelId)))
  })
}

/** A time stamp of the vendor that is older than the binding speaks of an earlier installation. */
const MARK_INVALID = `
  update devices set live = 0 from json_each(?) j
  where devices.id = j.value ->> 0 and token = j.value ->> 1 and live = 1
    and (j.value ->> 2 is null or updated_at <= j.value ->> 2)`

function markInvalid(db: Db, tokens: readonly InvalidToken[]): Promise<number> {
  if (tokens.length === 0) return Promise.resolve(0)
  const list = toJson(tokens.map(({ id, token, since }) => [toKey(id), token, since?.getTime() ?? null]))
  return db.write(() => db.run(MARK_INVALID, [list]))
}

const toDevice = (row: DeviceRow): Device => ({
  id: String(row[0]),
  appId: String(row[1]),
  userId: row[2],
  deviceId: row[3],
  channelId: String(row[4]),
  token: row[5],
  live: row[6] === 1,
  updatedAt: new Date(row[7]),
})
