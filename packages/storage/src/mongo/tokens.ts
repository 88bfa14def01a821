import type { TokenStore } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from './connect.ts'

export function tokenStore(db: Db): TokenStore {
  return {
    async revoke(jti, expiresAt, of) {
      const own = of ? { appId: Number(of.appId) } : {}
      const others = { ...own, _id: trusted({ $ne: jti }) }
      if (of && (await db.revoked.countDocuments(others, { limit: of.most })) >= of.most) return false
      const at = await db.clock.now()
      const set = { $set: { expiresAt, ...own }, $setOnInsert: { at } }
      await db.revoked.updateOne({ _id: { $eq: jti } }, set, { upsert: true })
      return true
    },
    async revokedSince(since) {
      const rows = await db.revoked
        .find({ at: trusted({ $gte: since }) })
        .sort({ at: 1 })
        .lean()
      return rows.map(({ _id, at, expiresAt }) => ({ jti: _id, at, expiresAt }))
    },
  }
}
