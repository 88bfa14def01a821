import type { TokenStore } from '@fanfare/core'
import type { Db } from './db.ts'

export function tokenStore(db: Db): TokenStore {
  return {
    revoke: (jti, expiresAt) =>
      db.write(() => {
        const row = { jti, expires_at: expiresAt.getTime(), at: db.now() }
        db.change(
          db.build
            .insertInto('revoked')
            .values(row)
            .onConflict((conflict) => conflict.doNothing()),
        )
      }),
    revokedSince: (since) =>
      db.read(() => {
        const rows = db.query(db.build.selectFrom('revoked').selectAll().where('at', '>=', since.getTime()))
        return rows.map((row) => ({ jti: row.jti, at: new Date(row.at) }))
      }),
  }
}
