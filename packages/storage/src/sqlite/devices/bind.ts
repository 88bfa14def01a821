import type { Binding } from '@fanfare/core'
import type { Db } from '../db.ts'
import { toKey } from '../db.ts'
import { runRows, valuesSql } from '../values.ts'

type Item = [id: number, app: number, user: string, device: string, channel: number, token: string]

/** Bindings under one write lock; a longer list is cut, so that other processes get their turn. */
const BIND_STEP = 5000

export async function bind(db: Db, bindings: readonly Binding[], maxPerUser: number): Promise<void> {
  for (let from = 0; from < bindings.length; from += BIND_STEP) {
    const step = settle(bindings.slice(from, from + BIND_STEP))
    await db.write(() => bindSettled(db, step, maxPerUser))
  }
}

type Settled = { kept: Item[]; lost: Item[] }

/**
 * What a list of bindings comes to, each in its turn: of one row's bindings the last holds, of one token's too. A row
 * whose last token went to a later binding of the list is `lost` and goes away.
 */
function settle(bindings: readonly Binding[]): Settled {
  const settled: Settled = { kept: [], lost: [] }
  const rows = new Set<string>()
  const tokens = new Set<string>()
  for (let index = bindings.length - 1; index >= 0; index--) {
    const item = toItem(bindings[index] as Binding)
    const row = `${item[1]} ${item[4]} ${item[2].length} ${item[2]}${item[3]}`
    if (rows.has(row)) continue
    rows.add(row)
    const token = `${item[4]} ${item[5]}`
    if (tokens.has(token)) settled.lost.push(item)
    else settled.kept.push(item)
    tokens.add(token)
  }
  settled.kept.reverse()
  return settled
}

const toItem = (binding: Binding): Item => [
  toKey(binding.id),
  toKey(binding.appId),
  binding.userId,
  binding.deviceId,
  toKey(binding.channelId),
  binding.token,
]

/** The list lies in a temporary table of this connection, so that its columns are read once and not per statement. */
const INCOMING = `
create temp table if not exists incoming (
  id integer not null, app integer not null, user text not null, device text not null, channel integer not null,
  token text not null)`
const FILL = valuesSql(6, (values) => `insert into incoming (id, app, user, device, channel, token) ${values}`)
const EMPTY = 'delete from incoming'

const SAME_ROW = 'd.app = i.app and d.user = i.user and d.device = i.device and d.channel = i.channel'
const REMOVE_LOST = `
  delete from devices where id in (select d.id from incoming i cross join devices d on ${SAME_ROW})`
/** Rows that hold a token which is now bound to another row. They may be bound anew further down the list. */
const TAKE_TOKENS = `
  update devices set live = 0 where id in (
    select d.id from incoming i
    cross join devices d on d.channel = i.channel and d.token = i.token and d.live = 1
    where not (${SAME_ROW})) returning id`
const UPSERT = `
  insert into devices (id, app, user, device, channel, token, live, updated_at)
  select id, app, user, device, channel, token, 1, ?1 from incoming where true
  on conflict (app, user, device, channel) do update set token = excluded.token, live = 1,
    updated_at = excluded.updated_at`
const REMOVE_ROBBED = `
  delete from devices where live = 0 and id in (select value from json_each(?))`
const ADD_USERS = `
  insert into users (app, user) select app, user from incoming where true on conflict do nothing`

/** Users of the list with more devices than the bound; `?1` is one more than it. */
const OVERFULL = `
  select distinct i.app, i.user from incoming i
  where (select count(*) from (select 1 from devices d where d.app = i.app and d.user = i.user limit ?1)) = ?1`
/**
 * The dead ones go first, then those bound longest ago. Of a user who has thousands, from before there was a bound, so many
 * are looked at with each binding.
 */
const DROP_OLDEST = `
  delete from devices where id in (
    select id from (select id, live, updated_at from devices where app = ? and user = ? limit 1000)
    order by live desc, updated_at desc, id desc limit -1 offset ?)`

function bindSettled(db: Db, { kept, lost }: Settled, maxPerUser: number): void {
  db.run(INCOMING)
  if (lost.length > 0) {
    fill(db, lost)
    db.run(REMOVE_LOST)
  }
  fill(db, kept)
  const robbed = db.all(TAKE_TOKENS).map((row) => row[0])
  db.run(UPSERT, [db.now()])
  if (robbed.length > 0) db.run(REMOVE_ROBBED, [JSON.stringify(robbed)])
  db.run(ADD_USERS)
  for (const row of db.all(OVERFULL, [maxPerUser + 1])) db.run(DROP_OLDEST, [...row, maxPerUser])
  db.run(EMPTY)
}

function fill(db: Db, items: readonly Item[]): void {
  db.run(EMPTY)
  runRows(db, FILL, items)
}
