import type { TokenStore } from '@fanfare/core'
import { trusted } from 'mongoose'
import type { Db } from './connect.ts'

export function tokenStore(db: Db): TokenStore {
  return {
    async revoke(jti, expiresAt) {
      const at = await db.clock.now()
      await db.revoked.updateOne({ _id: { $eq: jti } }, { $set: { expiresAt }, $setOnInsert: { at } }, { upsert: true })
    },
    async revokedSince(since) {
      const rows = await db.revoked
        .find({ at: trusted({ $gte: since }) })
        .sort({ at: 1 })
        .lean()
      return rows.map(({ _id, at }) => ({ jti: _id, at }))
    },
  }
}
