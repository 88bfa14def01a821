import type { App, AppStore } from '@fanfare/core'
import type { Selectable } from 'kysely'
import type { Db } from './db.ts'
import { toKey } from './db.ts'
import type { Tables } from './tables.ts'

const BY_IDS = `
  select json_group_array(json_object('id', id, 'org', org, 'name', name, 'client_id', client_id,
    'secret_hash', secret_hash, 'settings', settings, 'disabled', disabled, 'tokens_from', tokens_from,
    'created_at', created_at))
  from apps where id in (select value from json_each(?))`

const END_TOKENS = 'update apps set tokens_from = max(tokens_from, ?2) + 1 where id = ?1'

type AppRow = Selectable<Tables['apps']>

export function appStore(db: Db): AppStore {
  return {
    insert: (app) =>
      db.write(() => {
        const row = { ...toRow(app), created_at: db.now() }
        return (
          db.change(
            db.build
              .insertInto('apps')
              .values(row)
              .onConflict((conflict) => conflict.doNothing()),
          ) > 0
        )
      }),
    byName: (org, name) =>
      db.read(() => {
        const query = db.build.selectFrom('apps').selectAll().where('org', '=', org).where('name', '=', name)
        return db.query(query).map(toApp)[0]
      }),
    byIds: (ids) =>
      db.read(() => {
        const rows = db.json<AppRow[]>(BY_IDS, [JSON.stringify(ids.map(toKey))])
        const byId = new Map(rows.map((row) => [String(row.id), toApp(row)]))
        return ids.map((id) => byId.get(id))
      }),
    update: (id, change) => update(db, id, change),
    endTokens: (id) =>
      db.write(() => {
        db.run(END_TOKENS, [toKey(id), Math.floor(db.now() / 1000)])
        db.run('delete from revoked where app = ?', [toKey(id)])
      }),
  }
}

function update(db: Db, id: string, change: Parameters<AppStore['update']>[1]): Promise<void> {
  const set = {
    ...(change.settings && { settings: JSON.stringify(change.settings) }),
    ...(change.clientSecretHash !== undefined && { secret_hash: change.clientSecretHash }),
    ...(change.disabled !== undefined && { disabled: Number(change.disabled) }),
  }
  return db.write(() => {
    if (Object.keys(set).length === 0) return
    db.change(db.build.updateTable('apps').set(set).where('id', '=', toKey(id)))
  })
}

const toRow = (app: Omit<App, 'createdAt'>) => ({
  id: toKey(app.id),
  org: app.org,
  name: app.name,
  client_id: app.clientId,
  secret_hash: app.clientSecretHash,
  settings: JSON.stringify(app.settings),
})

const toApp = (row: AppRow): App => ({
  id: String(row.id),
  org: row.org,
  name: row.name,
  clientId: row.client_id,
  clientSecretHash: row.secret_hash,
  settings: JSON.parse(row.settings) as App['settings'],
  ...(row.disabled !== 0 && { disabled: true }),
  ...(row.tokens_from !== 0 && { tokensFrom: row.tokens_from }),
  createdAt: new Date(row.created_at),
})
