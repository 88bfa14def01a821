import type { Label, LabelMember, LabelStore } from '@fanfare/core'
import { idOfCursor, nameOfCursor, toCursor } from '../common/cursor.ts'
import type { Db } from './db.ts'
import { toJson, toKey } from './db.ts'
import type { Tables } from './tables.ts'

export function labelStore(db: Db): LabelStore {
  return {
    insert: (label, maxLabels) => db.write(() => insert(db, label, maxLabels)),
    byNames: (appId, names) => db.read(() => byNames(db, appId, names)),
    page: (appId, limit, cursor) => db.read(() => page(db, { appId, limit, cursor })),
    remove: (appId, name) => remove(db, appId, name),
    addUsers: (labelId, userIds) => addUsers(db, labelId, userIds),
    removeUsers: (labelId, userIds) => removeUsers(db, labelId, userIds),
    member: (labelId, userId) =>
      db.read(() => {
        const found = db.query(membersOf(db, labelId).where('user', '=', userId))
        return found.map(toMember)[0]
      }),
    members: (labelId, limit, cursor) => db.read(() => members(db, { labelId, limit, cursor })),
  }
}

function insert(db: Db, label: Omit<Label, 'count' | 'createdAt'>, maxLabels: number): Label | 'exists' | 'full' {
  if (byNames(db, label.appId, [label.name])[0]) return 'exists'
  const counted = db.all('select count(*) from labels where app = ?', [toKey(label.appId)])
  if (Number(counted[0]?.[0]) >= maxLabels) return 'full'
  const { id, appId, name, description } = label
  const row = { id: toKey(id), app: toKey(appId), name, description, size: 0, created_at: db.now() }
  db.change(db.build.insertInto('labels').values(row))
  return toLabel(row)
}

const BY_NAMES = `
  select json_group_array(json_object('id', id, 'app', app, 'name', name, 'description', description, 'size', size,
    'created_at', created_at))
  from labels where app = ? and name in (select value from json_each(?))`

function byNames(db: Db, appId: string, names: readonly string[]): (Label | undefined)[] {
  const rows = db.json<LabelRow[]>(BY_NAMES, [toKey(appId), toJson(names)])
  const byName = new Map(rows.map((row) => [row.name, toLabel(row)]))
  return names.map((name) => byName.get(name))
}

type Page = { limit: number; cursor: string | undefined }

/** Newest first: ids rise with time. */
function page(db: Db, ask: Page & { appId: string }): { labels: Label[]; cursor?: string } {
  const before = idOfCursor(ask.cursor)
  let query = db.build.selectFrom('labels').selectAll().where('app', '=', toKey(ask.appId))
  if (before !== undefined) query = query.where('id', '<', before)
  const rows = db.query(query.orderBy('id', 'desc').limit(ask.limit + 1))
  const labels = rows.slice(0, ask.limit).map(toLabel)
  const last = labels.at(-1)
  return rows.length > ask.limit && last ? { labels, cursor: toCursor([toKey(last.id)]) } : { labels }
}

/** Members removed under one write lock. */
const REMOVE_STEP = 5000
const REMOVE_MEMBERS = `
  delete from label_members where label = ?1 and user in (
    select user from label_members where label = ?1 limit ${REMOVE_STEP})`

/** The label goes first; its members, unreachable from then on, follow in short steps. */
async function remove(db: Db, appId: string, name: string): Promise<boolean> {
  const id = await db.write(() => {
    const removed = db.all('delete from labels where app = ? and name = ? returning id', [toKey(appId), name])
    return removed[0]?.[0]
  })
  if (id === undefined) return false
  while ((await db.write(() => db.run(REMOVE_MEMBERS, [id]))) === REMOVE_STEP);
  return true
}

const ADD_MEMBERS = `
  insert into label_members (label, user, created_at)
  select l.id, j.value, ?3 from labels l cross join json_each(?2) j where l.id = ?1
  on conflict do nothing`
const ADD_USERS = `
  insert into users (app, user)
  select l.app, j.value from labels l cross join json_each(?2) j where l.id = ?1
  on conflict do nothing`
const RESIZE = 'update labels set size = size + ?2 where id = ?1'

function addUsers(db: Db, labelId: string, userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return Promise.resolve()
  const label = toKey(labelId)
  const list = toJson(userIds)
  return db.write(() => {
    const added = db.run(ADD_MEMBERS, [label, list, db.now()])
    if (added > 0) db.run(RESIZE, [label, added])
    db.run(ADD_USERS, [label, list])
  })
}

const REMOVE_USERS = `
  delete from label_members where label = ? and user in (select value from json_each(?)) returning user`

function removeUsers(db: Db, labelId: string, userIds: readonly string[]): Promise<boolean[]> {
  const label = toKey(labelId)
  return db.write(() => {
    const removed = new Set(db.all(REMOVE_USERS, [label, toJson(userIds)]).map((row) => row[0]))
    if (removed.size > 0) db.run(RESIZE, [label, -removed.size])
    return userIds.map((userId) => removed.has(userId))
  })
}

const membersOf = (db: Db, labelId: string) =>
  db.build.selectFrom('label_members').select(['user', 'created_at']).where('label', '=', toKey(labelId))

/** In order of user ids. */
function members(db: Db, ask: Page & { labelId: string }): { members: LabelMember[]; cursor?: string } {
  const after = nameOfCursor(ask.cursor)
  const query = membersOf(db, ask.labelId)
  const from = after === undefined ? query : query.where('user', '>', after)
  const rows = db.query(from.orderBy('user').limit(ask.limit + 1))
  const found = rows.slice(0, ask.limit).map(toMember)
  const last = found.at(-1)
  return rows.length > ask.limit && last ? { members: found, cursor: toCursor([last.userId]) } : { members: found }
}

type LabelRow = Omit<Tables['labels'], 'size'> & { size: number }

const toLabel = (row: LabelRow): Label => ({
  id: String(row.id),
  appId: String(row.app),
  name: row.name,
  description: row.description,
  count: row.size,
  createdAt: new Date(row.created_at),
})

const toMember = (row: { user: string; created_at: number }): LabelMember => ({
  userId: row.user,
  createdAt: new Date(row.created_at),
})
