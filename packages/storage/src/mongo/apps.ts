import type { App, AppSettings, AppStore } from '@fanfare/core'
import type { Db } from './connect.ts'
import { isDuplicate } from './errors.ts'
import { byIdsInOrder, rawOf } from './rows.ts'
import type { AppDoc } from './schemas.ts'

export function appStore(db: Db): AppStore {
  return {
    async insert(app) {
      const { id, settings, ...rest } = app
      const createdAt = await db.clock.now()
      const row = { ...rest, _id: Number(id), settings: JSON.stringify(settings), createdAt }
      return !(await isDuplicate(rawOf(db.apps).insertOne(row)))
    },
    async byName(org, name) {
      const row = await db.apps.findOne({ org: { $eq: org }, name: { $eq: name } }).lean()
      return row ? toApp(row) : undefined
    },
    byIds: (ids) => byIdsInOrder(db.apps, ids, toApp),
    async update(id, change) {
      const { settings, clientSecretHash, disabled } = change
      const set = {
        ...(settings && { settings: JSON.stringify(settings) }),
        ...(clientSecretHash !== undefined && { clientSecretHash }),
        ...(disabled !== undefined && { disabled }),
      }
      if (Object.keys(set).length === 0) return
      await db.apps.updateOne({ _id: Number(id) }, { $set: set })
    },
    endTokens: (id) => endTokens(db, Number(id)),
  }
}

/** Of several at once each raises it: a token that was issued between two of them ends with the second. */
async function endTokens(db: Db, id: number): Promise<void> {
  for (;;) {
    const row = await db.apps.findOne({ _id: id }, { tokensFrom: 1 }).lean()
    if (!row) return
    const now = Math.floor((await db.clock.exact()).getTime() / 1000)
    const tokensFrom = Math.max(row.tokensFrom ?? 0, now) + 1
    const asRead = { _id: id, tokensFrom: { $eq: row.tokensFrom ?? null } } as never
    if ((await rawOf(db.apps).updateOne(asRead, { $set: { tokensFrom } })).matchedCount > 0) break
  }
  await db.revoked.deleteMany({ appId: id })
}

function toApp({ _id, settings, disabled, ...rest }: AppDoc): App {
  return {
    ...rest,
    ...(disabled && { disabled }),
    id: String(_id),
    settings: JSON.parse(settings) as AppSettings,
  }
}
