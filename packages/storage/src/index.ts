import type { Store } from '@fanfare/core'
import { type MasterKey, Sealer } from './common/seal.ts'

export { type MasterKey, type Sealed, Sealer, type SealScope } from './common/seal.ts'

export type StoreOptions = {
  /** Seals the credentials of channels: 32 bytes, or several keys by id. */
  masterKey: MasterKey
  /** SQLite's `synchronous`: `full` (default) survives a power cut, `normal` only a crash of the process. */
  sync?: 'full' | 'normal'
  /** Of one user, over all channels: one more, and the one bound longest ago goes. */
  maxDevicesPerUser?: number
}

export const MAX_DEVICES_PER_USER = 50

/**
 * Opens the store of a STORE_URL: `sqlite:PATH`, `sqlite::memory:`, `mongodb://…` or `mongodb+srv://…`. Tables and
 * indexes are made where they are missing. Rejects with StoreDownError where the store cannot be reached.
 */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  const sealer = new Sealer(options.masterKey)
  const { sync = 'full', maxDevicesPerUser = MAX_DEVICES_PER_USER } = options
  const scheme = url.slice(0, url.indexOf(':'))
  if (scheme === 'sqlite') {
    const { openSqlite } = await import('./sqlite/index.ts')
    return openSqlite(url.slice('sqlite:'.length), sealer, { sync, maxDevicesPerUser })
  }
  if (scheme === 'mongodb' || scheme === 'mongodb+srv') {
    const { openMongo } = await import('./mongo/index.ts')
    return openMongo(url, sealer, maxDevicesPerUser)
  }
  throw new Error(`STORE_URL: '${scheme}:' is no store; sqlite: and mongodb: are`)
}
