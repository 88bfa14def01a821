import { type Connection, type ConnectOptions, Mongoose } from 'mongoose'
import { Clock } from './clock.ts'
import { storeErrors } from './errors.ts'
import { type Models, modelsOf } from './schemas.ts'

/** What every part of this store works on. */
export type Db = Models & { connection: Connection; clock: Clock }

/** Defaults that a parameter of the same name in STORE_URL replaces (docs/reliability.md §6). */
const DEFAULTS: ConnectOptions = {
  serverSelectionTimeoutMS: 3000,
  connectTimeoutMS: 3000,
  socketTimeoutMS: 10_000,
  waitQueueTimeoutMS: 5000,
  maxPoolSize: 20,
  retryWrites: true,
}

/**
 * Connects, and prepares what is to be there before anything is read. Rejects with StoreDownError where no primary
 * answers in 3 s.
 */
export function connectMongo(url: string, prepare: (db: Db) => Promise<void>): Promise<Db> {
  return storeErrors(async () => {
    const mongoose = new Mongoose({ sanitizeFilter: true, strictQuery: 'throw', bufferCommands: false })
    const connection = await mongoose.createConnection(url, optionsFor(url)).asPromise()
    try {
      const models = modelsOf(connection)
      const clock = new Clock(() => serverTime(connection))
      const db = { ...models, connection, clock }
      await clock.now()
      await prepare(db)
      return db
    } catch (error) {
      await connection.close(true)
      throw error
    }
  })
}

function optionsFor(url: string): ConnectOptions {
  const own = Object.entries(DEFAULTS).filter(([name]) => !new RegExp(`[?&]${name}=`, 'i').test(url))
  const hasDatabase = /^mongodb(\+srv)?:\/\/[^/]+\/[^?]/.test(url)
  return {
    ...Object.fromEntries(own),
    ...(hasDatabase ? {} : { dbName: 'fanfare' }),
    writeConcern: { w: 'majority', journal: true, wtimeoutMS: 8000 },
    promoteBuffers: true,
  }
}

async function serverTime(connection: Connection): Promise<Date> {
  const hello = await connection.db?.admin().command({ hello: 1 })
  return hello?.['localTime'] as Date
}
