import {
  APP_DISABLED,
  type Channel,
  type ChannelAccount,
  type ChannelStore,
  type NewChannel,
  type PlatformName,
  type Resealed,
  SealError,
} from '@fanfare/core'
import { pauseText, toPause } from '../common/pause.ts'
import { resealed, type Sealed, type Sealer } from '../common/seal.ts'
import type { Db } from './db.ts'
import { toKey } from './db.ts'
import type { Tables } from './tables.ts'

type ChannelRow = Omit<Tables['channels'], 'sealed'>

const COLUMNS = [
  'id',
  'app',
  'platform',
  'name',
  'limits',
  'settings',
  'paused_for',
  'created_at',
  'updated_at',
  'account_id',
  'proof',
  'account',
] as const satisfies (keyof ChannelRow)[]
const columnOf = (name: (typeof COLUMNS)[number]): string =>
  name === 'paused_for'
    ? `case when a.disabled = 1 then '${pauseText(APP_DISABLED)}' else c.paused_for end`
    : `c.${name}`
const SELECT = `
  select json_group_array(json_object(${COLUMNS.map((name) => `'${name}', ${columnOf(name)}`).join()}))
  from channels c left join apps a on a.id = c.app`
const BY_IDS = `${SELECT} where c.id in (select value from json_each(?))`
const OF_ACCOUNT = `${SELECT} where c.platform = ? and c.account_id = ?`
const OF_APP = `${SELECT} where c.app = ?`

type ChannelChange = Parameters<ChannelStore['update']>[1]

export function channelStore(db: Db, sealer: Sealer): ChannelStore {
  return {
    insert: (channel, credential, most) => {
      const text = sealed(sealer, channel, credential)
      return db.write(() => (isFull(db, channel.appId, most) ? 'full' : insert(db, channel, text)))
    },
    ofApp: (appId) => db.read(() => inOrder(db, OF_APP, [toKey(appId)])),
    byIds: (ids) => db.read(() => byIds(db, ids)),
    update: (id, change) => db.write(() => update(db, sealer, id, change)),
    assign: (id, account) =>
      db.write(() => {
        db.change(db.build.updateTable('channels').set(accountColumns(account)).where('id', '=', toKey(id)))
      }),
    ofAccount: (platform, accountId) => db.read(() => inOrder(db, OF_ACCOUNT, [platform, accountId])),
    proofOf: (secret) => sealer.proofOf(secret),
    remove: (id) => remove(db, id),
    credential: (id) => db.read(() => credential(db, sealer, id)),
    reseal: (query) => reseal(db, sealer, query),
  }
}

function update(db: Db, sealer: Sealer, id: string, change: ChannelChange): Channel | undefined {
  const [channel] = byIds(db, [id])
  if (!channel) return undefined
  const { credential } = change
  const set = {
    ...(change.limits && { limits: JSON.stringify(change.limits) }),
    ...(change.settings && { settings: JSON.stringify(change.settings) }),
    ...(change.pause !== undefined && { paused_for: change.pause && pauseText(change.pause) }),
    ...(credential !== undefined && { sealed: sealed(sealer, channel, credential) }),
    ...(change.account && accountColumns(change.account)),
    updated_at: db.now(),
  }
  db.change(db.build.updateTable('channels').set(set).where('id', '=', toKey(id)))
  return byIds(db, [id])[0]
}

const accountColumns = ({ id, proof, key }: ChannelAccount) => ({ account_id: id, proof, account: key })

const sealed = (sealer: Sealer, channel: { id: string; appId: string }, credential: string): string =>
  JSON.stringify(sealer.seal(credential, { appId: channel.appId, channelId: channel.id }))

function isFull(db: Db, appId: string, most = Number.POSITIVE_INFINITY): boolean {
  const [counted] = db.all('select count(*) from channels where app = ?', [toKey(appId)])
  return Number(counted?.[0]) >= most
}

function insert(db: Db, channel: NewChannel, sealedCredential: string): boolean {
  const row = {
    id: toKey(channel.id),
    app: toKey(channel.appId),
    platform: channel.platform,
    name: channel.name,
    limits: JSON.stringify(channel.limits),
    settings: JSON.stringify(channel.settings),
    paused_for: channel.pause ? pauseText(channel.pause) : null,
    sealed: sealedCredential,
    created_at: db.now(),
    updated_at: db.now(),
    ...(channel.account ? accountColumns(channel.account) : { account_id: null, proof: null, account: null }),
  }
  return (
    db.change(
      db.build
        .insertInto('channels')
        .values(row)
        .onConflict((conflict) => conflict.doNothing()),
    ) > 0
  )
}

/** Devices deleted under one write lock. */
const REMOVE_STEP = 2000
const removeDevices = (live: 0 | 1) => `
  delete from devices where id in (select id from devices where channel = ? and live = ${live} limit ${REMOVE_STEP})`

/** The channel goes first, so that nothing is sent through it any more; its devices follow in short steps. */
async function remove(db: Db, id: string): Promise<boolean> {
  const removed = await db.write(() => db.run('delete from channels where id = ?', [toKey(id)]))
  for (const sql of [removeDevices(1), removeDevices(0)]) {
    while ((await db.write(() => db.run(sql, [toKey(id)]))) === REMOVE_STEP);
  }
  return removed > 0
}

/** The oldest first. */
function inOrder(db: Db, sql: string, args: (string | number)[]): Channel[] {
  const rows = db.json<ChannelRow[]>(sql, args)
  return rows.sort((one, other) => one.id - other.id).map(toChannel)
}

function byIds(db: Db, ids: readonly string[]): (Channel | undefined)[] {
  const rows = db.json<ChannelRow[]>(BY_IDS, [JSON.stringify(ids.map(toKey))])
  const byId = new Map(rows.map((row) => [String(row.id), toChannel(row)]))
  return ids.map((id) => byId.get(id))
}

/** The scope is taken from the row, so a sealed value copied to another row does not open. */
function credential(db: Db, sealer: Sealer, id: string): string | undefined {
  const query = db.build.selectFrom('channels').select(['id', 'app', 'sealed']).where('id', '=', toKey(id))
  const row = db.query(query)[0]
  if (!row) return undefined
  return sealer.open(parsed(row.sealed), { appId: String(row.app), channelId: String(row.id) })
}

type SealedRow = [id: number, app: number, sealed: string]
const SEALED = `
  select json_group_array(json_array(id, app, sealed)) from (
    select id, app, sealed from channels where id > ? order by id limit ?)`
const PUT_SEALED = 'update channels set sealed = ?3 where id = ?1 and sealed = ?2'

async function reseal(db: Db, sealer: Sealer, query: { after: string; limit: number }): Promise<Resealed> {
  const rows = await db.read(() => db.json<SealedRow[]>(SEALED, [toKey(query.after), query.limit]))
  rows.sort((one, other) => one[0] - other[0])
  const failed: string[] = []
  const changes: [id: number, before: string, after: string][] = []
  for (const [id, app, before] of rows) {
    const scope = { appId: String(app), channelId: String(id) }
    const after = resealed(sealer, scope, () => parsed(before))
    if (after === 'failed') failed.push(scope.channelId)
    else if (after) changes.push([id, before, JSON.stringify(after)])
  }
  const changed = await db.write(() => changes.reduce((sum, change) => sum + db.run(PUT_SEALED, change), 0))
  const last = rows.at(-1)
  return { resealed: changed, failed, ...(rows.length === query.limit && last && { next: String(last[0]) }) }
}

function parsed(text: string): Sealed {
  try {
    return JSON.parse(text) as Sealed
  } catch (error) {
    throw new SealError('a sealed credential is no JSON', { cause: error })
  }
}

const toChannel = (row: ChannelRow): Channel => ({
  id: String(row.id),
  appId: String(row.app),
  platform: row.platform as PlatformName,
  name: row.name,
  limits: JSON.parse(row.limits) as Channel['limits'],
  settings: JSON.parse(row.settings) as Channel['settings'],
  ...(row.paused_for !== null && { pause: toPause(row.paused_for) }),
  ...(row.account_id !== null &&
    row.proof !== null &&
    row.account !== null && { account: { id: row.account_id, proof: row.proof, key: row.account } }),
  createdAt: new Date(row.created_at),
  updatedAt: new Date(row.updated_at),
})
