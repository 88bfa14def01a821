import type { App, AppStore } from '@fanfare/core'
import type { Db } from './db.ts'
import { toKey } from './db.ts'
import type { Tables } from './tables.ts'

const BY_IDS = `
  select json_group_array(json_object('id', id, 'org', org, 'name', name, 'client_id', client_id,
    'secret_hash', secret_hash, 'settings', settings, 'created_at', created_at))
  from apps where id in (select value from json_each(?))`

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
        const rows = db.json<Tables['apps'][]>(BY_IDS, [JSON.stringify(ids.map(toKey))])
        const byId = new Map(rows.map((row) => [String(row.id), toApp(row)]))
        return ids.map((id) => byId.get(id))
      }),
    update: (id, change) =>
      db.write(() => {
        const set = {
          ...(change.settings && { settings: JSON.stringify(change.settings) }),
          ...(change.clientSecretHash !== undefined && { secret_hash: change.clientSecretHash }),
        }
        if (Object.keys(set).length === 0) return
        db.change(db.build.updateTable('apps').set(set).where('id', '=', toKey(id)))
      }),
  }
}

const toRow = (app: Omit<App, 'createdAt'>) => ({
  id: toKey(app.id),
  org: app.org,
  name: app.name,
  client_id: app.clientId,
  secret_hash: app.clientSecretHash,
  settings: JSON.stringify(app.settings),
})

const toApp = (row: Tables['apps']): App => ({
  id: String(row.id),
  org: row.org,
  name: row.name,
  clientId: row.client_id,
  clientSecretHash: row.secret_hash,
  settings: JSON.parse(row.settings) as App['settings'],
  createdAt: new Date(row.created_at),
})
