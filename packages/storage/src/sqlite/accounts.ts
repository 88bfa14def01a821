import type { AccountStore } from '@fanfare/core'
import type { Db } from './db.ts'

export function accountStore(db: Db): AccountStore {
  return {
    joined: (parts) =>
      db.read(() => {
        if (parts.length === 0) return []
        const query = db.build.selectFrom('account_joins').select(['part', 'joined']).where('part', 'in', parts)
        const groups = new Map(db.query(query).map((row) => [row.part, row.joined]))
        return parts.map((part) => groups.get(part))
      }),
    join: (parts, joined) =>
      db.write(() => {
        for (const part of parts) {
          const query = db.build.insertInto('account_joins').values({ part, joined })
          db.change(query.onConflict((conflict) => conflict.column('part').doUpdateSet({ joined })))
        }
      }),
    separate: (parts) =>
      db.write(() => {
        if (parts.length > 0) db.change(db.build.deleteFrom('account_joins').where('part', 'in', parts))
      }),
  }
}
