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
      const { settings, clientSecretHash } = change
      const set = {
        ...(settings && { settings: JSON.stringify(settings) }),
        ...(clientSecretHash !== undefined && { clientSecretHash }),
      }
      if (Object.keys(set).length === 0) return
      await db.apps.updateOne({ _id: Number(id) }, { $set: set })
    },
  }
}

function toApp({ _id, settings, ...rest }: AppDoc): App {
  return { ...rest, id: String(_id), settings: JSON.parse(settings) as AppSettings }
}
