import type { AccountStore } from '@fanfare/core'
import type { Db } from './connect.ts'
import { rawOf } from './rows.ts'

export function accountStore(db: Db): AccountStore {
  const joins = rawOf(db.accountJoins)
  return {
    async joined(parts) {
      const rows = await joins.find({ _id: { $in: [...parts] } }).toArray()
      const groups = new Map(rows.map((row) => [row._id, row.joined]))
      return parts.map((part) => groups.get(part))
    },
    async join(parts, joined) {
      for (const part of parts) await joins.updateOne({ _id: part }, { $set: { joined } }, { upsert: true })
    },
    async separate(parts) {
      await joins.deleteMany({ _id: { $in: [...parts] } })
    },
  }
}
