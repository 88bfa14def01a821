import type { Label, LabelMember, LabelStore } from '@fanfare/core'
import { trusted } from 'mongoose'
import { idOfCursor, nameOfCursor, toCursor } from '../common/cursor.ts'
import type { Db } from './connect.ts'
import { addUsers, userKey } from './devices/bind.ts'
import { isDuplicate } from './errors.ts'
import { changeMembers, sizesOf } from './label-size.ts'
import { insertAll, rawOf } from './rows.ts'
import type { LabelDoc, LabelMemberDoc } from './schemas.ts'

export function labelStore(db: Db): LabelStore {
  return {
    insert: (label, maxLabels) => insert(db, label, maxLabels),
    byNames: (appId, names) => byNames(db, appId, names),
    page: (appId, limit, cursor) => page(db, { appId, limit, cursor }),
    remove: (appId, name) => remove(db, appId, name),
    addUsers: (labelId, userIds) => addMembers(db, Number(labelId), userIds),
    removeUsers: (labelId, userIds) => removeMembers(db, Number(labelId), userIds),
    async member(labelId, userId) {
      const row = await db.labelMembers.findOne({ _id: { $eq: userKey(labelId, userId) } }).lean()
      return row ? toMember(row) : undefined
    },
    members: (labelId, limit, cursor) => members(db, { labelId, limit, cursor }),
  }
}

type NewLabel = Omit<Label, 'count' | 'createdAt'>

/** The count is taken before the insert: racing inserts may pass the limit by as many as race. */
async function insert(db: Db, label: NewLabel, maxLabels: number): Promise<Label | 'exists' | 'full'> {
  const [taken] = await byNames(db, label.appId, [label.name])
  if (taken) return 'exists'
  if ((await db.labels.countDocuments({ appId: Number(label.appId) })) >= maxLabels) return 'full'
  const { id, appId, name, description } = label
  const createdAt = await db.clock.now()
  const row: LabelDoc = { _id: Number(id), appId: Number(appId), name, description, createdAt, size: 0, rev: 0 }
  if (await isDuplicate(rawOf(db.labels).insertOne(row))) return 'exists'
  return toLabel(row, 0)
}

async function byNames(db: Db, appId: string, names: readonly string[]): Promise<(Label | undefined)[]> {
  const rows = await db.labels.find({ appId: Number(appId), name: trusted({ $in: [...new Set(names)] }) }).lean()
  const byName = new Map((await counted(db, rows)).map((label) => [label.name, label]))
  return names.map((name) => byName.get(name))
}

async function counted(db: Db, rows: readonly LabelDoc[]): Promise<Label[]> {
  const sizes = await sizesOf(db, rows)
  return rows.map((row, index) => toLabel(row, sizes[index] ?? 0))
}

type PageAsk = { appId: string; limit: number; cursor: string | undefined }

async function page(db: Db, ask: PageAsk): Promise<{ labels: Label[]; cursor?: string }> {
  const before = idOfCursor(ask.cursor)
  const filter = { appId: Number(ask.appId), ...(before !== undefined && { _id: trusted({ $lt: before }) }) }
  const rows = await db.labels
    .find(filter)
    .sort({ _id: -1 })
    .limit(ask.limit + 1)
    .lean()
  const labels = await counted(db, rows.slice(0, ask.limit))
  const last = rows[ask.limit - 1]
  return rows.length > ask.limit && last ? { labels, cursor: toCursor([last._id]) } : { labels }
}

/** The name goes first: from then on nobody finds the label. Members without a label are found by nobody either. */
async function remove(db: Db, appId: string, name: string): Promise<boolean> {
  const row = await db.labels.findOneAndDelete({ appId: Number(appId), name: { $eq: name } }).lean()
  if (!row) return false
  await db.labelMembers.deleteMany({ labelId: row._id })
  return true
}

async function addMembers(db: Db, labelId: number, userIds: readonly string[]): Promise<void> {
  const label = await db.labels.findOne({ _id: labelId }, { appId: 1 }).lean()
  if (!label || userIds.length === 0) return
  const users = [...new Set(userIds)]
  const appId = String(label.appId)
  await addUsers(
    db,
    new Set(),
    users.map((userId) => ({ appId, userId })),
  )
  await changeMembers(db, labelId, async (createdAt) => {
    const rows = users.map((userId) => ({ _id: userKey(labelId, userId), labelId, userId, createdAt }))
    const met = (await insertAll(db.labelMembers, rows)).flatMap(({ index }) => rows[index]?._id ?? [])
    const mayBeMine = met.length > 0 && (await areOf(db, met, createdAt))
    return mayBeMine ? undefined : rows.length - met.length
  })
}

/** Whether any of the members came at this instant: an insert that is repeated meets its own. */
const areOf = async (db: Db, keys: readonly string[], createdAt: Date): Promise<boolean> =>
  (await db.labelMembers.exists({ _id: trusted({ $in: keys }), createdAt })) !== null

async function removeMembers(db: Db, labelId: number, userIds: readonly string[]): Promise<boolean[]> {
  const keys = userIds.map((userId) => userKey(labelId, userId))
  const filter = { _id: trusted({ $in: [...new Set(keys)] }) }
  const rows = await db.labelMembers.find(filter, { _id: 1 }).lean()
  const found = new Set(rows.map((row) => row._id))
  if (found.size > 0) {
    await changeMembers(db, labelId, async () => -(await db.labelMembers.deleteMany(filter)).deletedCount)
  }
  return keys.map((key) => found.has(key))
}

type MembersAsk = { labelId: string; limit: number; cursor: string | undefined }

async function members(db: Db, ask: MembersAsk): Promise<{ members: LabelMember[]; cursor?: string }> {
  const after = nameOfCursor(ask.cursor)
  const from = after === undefined ? {} : { userId: trusted({ $gt: after }) }
  const rows = await db.labelMembers
    .find({ labelId: Number(ask.labelId), ...from })
    .sort({ userId: 1 })
    .limit(ask.limit + 1)
    .lean()
  const found = rows.slice(0, ask.limit).map(toMember)
  const last = found.at(-1)
  return rows.length > ask.limit && last ? { members: found, cursor: toCursor([last.userId]) } : { members: found }
}

const toLabel = (row: LabelDoc, count: number): Label => ({
  id: String(row._id),
  appId: String(row.appId),
  name: row.name,
  description: row.description,
  count,
  createdAt: row.createdAt,
})

const toMember = ({ userId, createdAt }: LabelMemberDoc): LabelMember => ({ userId, createdAt })
