import type { Store } from '@fanfare/core'
import type { Sealer } from '../common/seal.ts'
import { accountStore } from './accounts.ts'
import { appStore } from './apps.ts'
import { channelStore } from './channels.ts'
import { chunkStore } from './chunks/index.ts'
import { connectMongo } from './connect.ts'
import { deviceStore } from './devices/index.ts'
import { guarded } from './errors.ts'
import { takeIds } from './ids.ts'
import { labelStore } from './labels.ts'
import { lease } from './leases.ts'
import { prepare } from './migrations.ts'
import { purge } from './purge.ts'
import { taskStore } from './tasks/index.ts'
import { tokenStore } from './tokens.ts'

/**
 * The store in MongoDB, on a standalone server and on a replica set alike: every commit point is one document, and
 * every write waits for a majority and the journal. Rejects with StoreDownError where no server answers.
 */
export async function openMongo(url: string, sealer: Sealer, maxDevicesPerUser: number): Promise<Store> {
  const db = await connectMongo(url, (db) => prepare(db))
  return {
    ...guarded({
      takeIds: (count: number) => takeIds(db, count),
      lease: (name: string, holder: string, leaseMs: number) => lease(db, name, holder, leaseMs),
      now: () => db.clock.exact(),
      purge: (limit: number) => purge(db, limit),
    }),
    apps: guarded(appStore(db)),
    channels: { ...guarded(channelStore(db, sealer)), proofOf: (secret) => sealer.proofOf(secret) },
    accounts: guarded(accountStore(db)),
    devices: guarded(deviceStore(db, maxDevicesPerUser)),
    labels: guarded(labelStore(db)),
    tasks: guarded(taskStore(db)),
    chunks: guarded(chunkStore(db)),
    tokens: guarded(tokenStore(db)),
    close: () => db.connection.close(),
  }
}
