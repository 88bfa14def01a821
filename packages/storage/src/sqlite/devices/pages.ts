import { setImmediate } from 'node:timers/promises'
import type { DevicePage, DeviceRange, LabelRange } from '@fanfare/core'
import { fromCursor, toCursor } from '../../common/cursor.ts'
import type { Db } from '../db.ts'
import { toJson, toKey } from '../db.ts'

/** As one JSON list, since rows cost libsql several times as much. */
const PAGE = `
  select json_group_array(id) from (
    select id from devices
    where channel = ? and live = 1 and id > ? and id <= ? order by id limit ?)`

export function page(db: Db, range: DeviceRange): DevicePage {
  const after = range.after === '' ? 0 : toKey(range.after)
  const ids = db.json<number[]>(PAGE, [toKey(range.channelId), after, toKey(range.upToId), range.limit])
  const deviceIds = ids.map(String)
  const last = deviceIds.at(-1)
  return last !== undefined && ids.length === range.limit ? { deviceIds, next: last } : { deviceIds }
}

/** The user and the device where the next page goes on; a device of `ALL` stands after all devices of the user. */
type Place = [user: string, device: number]
const ALL = Number.MAX_SAFE_INTEGER

const LABELS = `
  select id from labels where app = ? and name in (select value from json_each(?)) order by size, id`
/** The window keeps the cost of a page bounded where the intersection is thin. */
const WINDOW = `
  select user from label_members where label = ? and user >= ? order by user limit ?`
const IN_WINDOW = `
  select d.id, d.user from label_members m
  cross join devices d on d.app = ?1 and d.user = m.user and d.channel = ?2 and d.live = 1 and d.id <= ?3
  where m.label = ?4 and m.user between ?5 and ?6 and (m.user > ?5 or d.id > ?7)
    and not exists (
      select 1 from json_each(?8) j
      where not exists (select 1 from label_members x where x.label = j.value and x.user = m.user))
  order by m.user, d.id limit ?9`

/** Walks the members of the smallest label and keeps those of all others. A page may be short, even empty, with `next`. */
export function labelPage(db: Db, range: LabelRange): DevicePage {
  const names = [...new Set(range.labels)]
  const labels = db.all(LABELS, [toKey(range.appId), toJson(names)]).map((row) => Number(row[0]))
  const [smallest, ...others] = labels
  if (smallest === undefined || labels.length < names.length) return { deviceIds: [] }
  const [user, device] = range.after === '' ? ['', 0] : fromCursor<Place>(range.after)
  const windowSize = range.limit + 1
  const window = db.all(WINDOW, [smallest, user, windowSize]).map((row) => String(row[0]))
  const lastUser = window.at(-1)
  if (lastUser === undefined) return { deviceIds: [] }
  const rows = db.all(IN_WINDOW, [
    toKey(range.appId),
    toKey(range.channelId),
    toKey(range.upToId),
    smallest,
    user,
    lastUser,
    device,
    JSON.stringify(others),
    range.limit,
  ])
  const deviceIds = rows.map((row) => String(row[0]))
  const last = rows.at(-1)
  if (last && rows.length === range.limit) return { deviceIds, next: toCursor([String(last[1]), Number(last[0])]) }
  return window.length === windowSize ? { deviceIds, next: toCursor([lastUser, ALL]) } : { deviceIds }
}

/** Rows counted in one turn of the event loop: some milliseconds. */
const COUNT_STEP = 20_000
const COUNT = `
  select count(*), max(id) from (
    select id from devices where channel = ? and live = 1 and id > ? order by id limit ${COUNT_STEP})`

/** Counts in steps, so that ten million rows do not stop all else in this process for a second. */
export async function count(db: Db, channelId: string): Promise<number> {
  let [total, after] = [0, 0]
  for (;;) {
    const [counted, last] = await db.read(() => db.all(COUNT, [toKey(channelId), after])[0] ?? [])
    total += Number(counted)
    if (Number(counted) < COUNT_STEP) return total
    after = Number(last)
    await setImmediate()
  }
}

/** The ids bound so far, live or dead: ids rise, so what is bound later is above it. */
export const maxId = (db: Db): string => String(db.all('select coalesce(max(id), 0) from devices')[0]?.[0])

/** Two questions: asked for both ends at once, SQLite would walk all that lies between. */
const BOUNDS = ['min', 'max'].map((end) => `select ${end}(id) from devices where channel = ? and live = 1 and id <= ?`)
/** The first device at or after an id, and the one that stands 64 further. */
const DENSITY = `
  select min(id), max(id), count(*) from (
    select id from devices where channel = ?1 and live = 1 and id >= ?2 and id <= ?3 order by id limit 64)`
const PROBES_PER_PART = 16

/**
 * Lower bounds, exclusive, of at most `parts` ranges of about equal size; the first is '0'. The density of devices is
 * probed at equal steps of the id space, because counting ten million rows would block the process for long.
 */
export function splitPoints(db: Db, ask: { channelId: string; upToId: string; parts: number }): string[] {
  const channel = toKey(ask.channelId)
  const [low, high] = BOUNDS.map((sql) => Number(db.all(sql, [channel, toKey(ask.upToId)])[0]?.[0]))
  if (!low || !high || ask.parts <= 1 || high - low < ask.parts) return ['0']
  const steps = Math.min(ask.parts * PROBES_PER_PART, high - low)
  const weights = Array.from({ length: steps }, (_, step) => {
    const from = edge(low, high, step / steps)
    const to = edge(low, high, (step + 1) / steps)
    return weight(db.all(DENSITY, [channel, from, to - 1])[0]?.map(Number) ?? [], to - from)
  })
  const cuts = cutsOf(weights, ask.parts)
  return ['0', ...cuts.map((cut) => String(edge(low, high, cut / steps) - 1))]
}

const edge = (low: number, high: number, part: number): number => low + Math.floor((high + 1 - low) * part)

/** Devices expected in a step of `width` ids, from those at its start. */
function weight([first = 0, last = 0, seen = 0]: number[], width: number): number {
  return seen < 64 ? seen : Math.max(seen, (seen / (last - first + 1)) * width)
}

/** Positions between steps, in fractions of a step, that cut the sum of the weights into equal parts. */
function cutsOf(weights: readonly number[], parts: number): number[] {
  const total = weights.reduce((sum, value) => sum + value, 0)
  const cuts: number[] = []
  let sum = 0
  weights.forEach((value, step) => {
    while (cuts.length < parts - 1 && sum + value >= (total * (cuts.length + 1)) / parts) {
      cuts.push(step + ((total * (cuts.length + 1)) / parts - sum) / value)
    }
    sum += value
  })
  return cuts
}
