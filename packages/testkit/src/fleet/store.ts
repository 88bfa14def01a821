import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startMongo } from '../mongo.ts'

/** Where a fleet keeps its record, and the server behind it where there is one. */
export type FleetStore = {
  url: string
  pids(): number[]
  /** On disk; 0 where it is not known. */
  sizeMb(): number
  stop(): Promise<void>
}

/** Rejects where MongoDB is asked for and there is none: a bench that measured nothing must not look like one that did. */
export async function startFleetStore(kind: 'sqlite' | 'mongo', dir: string): Promise<FleetStore> {
  if (kind === 'sqlite') {
    const sizeMb = () => filesMb(dir, 'fanfare.db')
    return { url: `sqlite:${join(dir, 'fanfare.db')}`, pids: () => [], sizeMb, stop: () => Promise.resolve() }
  }
  const mongo = await startMongo()
  if (!mongo) throw new Error('--store mongo: there is no MongoDB on this machine')
  return {
    url: mongo.url,
    pids: () => (mongo.pid > 0 ? [mongo.pid] : []),
    sizeMb: () => 0,
    stop: () => mongo.stop(),
  }
}

/** The database file with its write-ahead log. */
function filesMb(dir: string, prefix: string): number {
  const files = readdirSync(dir).filter((name) => name.startsWith(prefix))
  return files.reduce((sum, name) => sum + statSync(join(dir, name)).size, 0) / 2 ** 20
}
