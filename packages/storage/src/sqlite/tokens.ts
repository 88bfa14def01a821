import type { TokenStore } from '@fanfare/core'
import type { Db } from './db.ts'
import { toKey } from './db.ts'

const REVOKE = 'insert into revoked (jti, expires_at, at, app) values (?, ?, ?, ?) on conflict do nothing'
const KEPT = 'select count(*) from revoked where app = ? and jti <> ?'

export function tokenStore(db: Db): TokenStore {
  return {
    revoke: (jti, expiresAt, of) =>
      db.write(() => {
        const app = of ? toKey(of.appId) : null
        if (of && Number(db.all(KEPT, [app, jti])[0]?.[0]) >= of.most) return false
        db.run(REVOKE, [jti, expiresAt.getTime(), db.now(), app])
        return true
      }),
    revokedSince: (since) =>
      db.read(() => {
        const rows = db.query(db.build.selectFrom('revoked').selectAll().where('at', '>=', since.getTime()))
        return rows.map(({ jti, at, expires_at }) => ({ jti, at: new Date(at), expiresAt: new Date(expires_at) }))
      }),
  }
}
