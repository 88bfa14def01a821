import type { Store } from '@fanfare/core'
import type { Sealer } from '../common/seal.ts'
import { accountStore } from './accounts.ts'
import { appStore } from './apps.ts'
import { channelStore } from './channels.ts'
import { chunkStore } from './chunks/index.ts'
import { Db } from './db.ts'
import { deviceStore } from './devices/index.ts'
import { labelStore } from './labels.ts'
import { Purge } from './purge.ts'
import { migrate } from './schema.ts'
import { taskStore } from './tasks/index.ts'
import { tokenStore } from './tokens.ts'

/** Pages of the write-ahead log after which it is copied into the file: 16 MB, of which only the newest copy of a page is copied. */
const CHECKPOINT_PAGES = 4000

type Options = { sync: 'full' | 'normal'; maxDevicesPerUser: number }

/** The store in one SQLite file (or `:memory:`); any number of processes of one machine may share the file. */
export async function openSqlite(path: string, sealer: Sealer, options: Options): Promise<Store> {
  const db = new Db(path)
  try {
    await configure(db, options.sync)
    await migrate(db)
  } catch (error) {
    db.close()
    throw error
  }
  const purge = new Purge(db)
  return {
    apps: appStore(db),
    channels: channelStore(db, sealer),
    accounts: accountStore(db),
    devices: deviceStore(db, options.maxDevicesPerUser),
    labels: labelStore(db),
    tasks: taskStore(db),
    chunks: chunkStore(db),
    tokens: tokenStore(db),
    takeIds: (count) => takeIds(db, count),
    lease: (name, holder, leaseMs) => lease(db, { name, holder, leaseMs }),
    now: () => db.read(() => new Date(db.now())),
    purge: (limit) => purge.run(limit),
    close: () => Promise.resolve(db.close()),
  }
}

function configure(db: Db, sync: 'full' | 'normal'): Promise<void> {
  return db.read(() => {
    db.exec('pragma journal_mode = wal')
    db.exec(`pragma synchronous = ${sync}`)
    db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    db.exec('pragma cache_size = -16000')
    db.exec('pragma temp_store = memory')
  })
}

const TAKE_IDS = `
  insert into counters (name, value) values ('ids', ?1)
  on conflict (name) do update set value = value + ?1 returning value`

function takeIds(db: Db, count: number): Promise<number> {
  return db.write(() => Number(db.all(TAKE_IDS, [count])[0]?.[0]) - count + 1)
}

const LEASE = `
  insert into leases (name, holder, until) values (?1, ?2, ?3)
  on conflict (name) do update set holder = ?2, until = ?3 where holder = ?2 or until <= ?4`

function lease(db: Db, ask: { name: string; holder: string; leaseMs: number }): Promise<boolean> {
  return db.write(() => {
    const now = db.now()
    if (ask.leaseMs > 0) return db.run(LEASE, [ask.name, ask.holder, now + ask.leaseMs, now]) > 0
    db.run('delete from leases where name = ? and holder = ?', [ask.name, ask.holder])
    return false
  })
}
