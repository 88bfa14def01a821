import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { Child } from './child.ts'
import { testConfig } from './config.ts'
import { freePort, tempDir } from './files.ts'
import { ensureMongo, mongodBinary, SECANTUS } from './mongo-setup.ts'
import { hasTrue, mongoCommand } from './mongo-wire.ts'

export type MongoOptions = {
  /** A server without a replica set: no transactions, no retryable writes. */
  standalone?: boolean
}

export type MongoService = {
  /** With a database of its own: `mongodb://127.0.0.1:PORT/fanfare_test_…`. */
  url: string
  source: 'uri' | 'mongod' | 'secantus'
  readonly pid: number
  /** The same server with another database. */
  database(name: string): string
  stop(): Promise<void>
  /** Rejects where the server is that of MONGO_TEST_URI, which is not ours to stop. */
  kill(signal: NodeJS.Signals): Promise<void>
  restart(): Promise<void>
}

const REPLICA_SET = 'fanfare'
/** SecantusDB on a busy machine needs longer for a bulk than a store in production may take. */
const SLOW = '?socketTimeoutMS=60000&waitQueueTimeoutMS=60000'

/**
 * Starts a MongoDB server on a free port of 127.0.0.1, as the primary of a replica set of one unless `standalone`.
 * Looks in the order of docs/design.md §13; where there is none it says so on stderr and answers undefined, or rejects
 * where FANFARE_REQUIRE names `mongo`.
 */
export async function startMongo(options: MongoOptions = {}): Promise<MongoService | undefined> {
  const source = await ensureMongo()
  if (source === 'uri') return ofUri(testConfig().mongoTestUri ?? '')
  if (source === 'none') return noMongo(testConfig().required)
  const dir = await tempDir('mongo')
  const port = await freePort()
  const standalone = options.standalone ?? false
  const [command, args] = await commandOf(source, { port, dir, standalone })
  const child = new Child({ command, args, cwd: dir, ready: () => isWritable(port, standalone), readyWithinMs: 30_000 })
  await child.start()
  return serviceOf(source, child, { port, dir })
}

export function noMongo(required: readonly string[]): undefined {
  const sentence = 'no MongoDB: set MONGO_TEST_URI, put mongod on PATH, or let pip reach SecantusDB'
  if (required.includes('mongo')) throw new Error(`FANFARE_REQUIRE=mongo, but there is ${sentence}`)
  process.stderr.write(`\n!!! SKIPPED: there is ${sentence} !!!\n`)
  return undefined
}

type Start = { port: number; dir: string; standalone: boolean }

async function commandOf(source: 'mongod' | 'secantus', start: Start): Promise<[string, string[]]> {
  const host = ['--port', String(start.port)]
  if (source === 'mongod') {
    const args = ['--bind_ip', '127.0.0.1', '--dbpath', start.dir, ...host]
    return [(await mongodBinary()) ?? 'mongod', start.standalone ? args : [...args, '--replSet', REPLICA_SET]]
  }
  const args = ['--host', '127.0.0.1', '--storage-path', start.dir, '--sync-on-commit', ...host]
  return [SECANTUS, start.standalone ? [...args, '--standalone'] : args]
}

/** A mongod that was just started with --replSet is told to be a set of one; asked again it keeps what it has. */
async function isWritable(port: number, standalone: boolean): Promise<boolean> {
  try {
    if (hasTrue(await mongoCommand(port, { hello: 1 }), 'isWritablePrimary')) return true
    const members = [{ _id: 0, host: `127.0.0.1:${port}` }]
    if (!standalone) await mongoCommand(port, { replSetInitiate: { _id: REPLICA_SET, members } })
    return false
  } catch {
    return false
  }
}

function serviceOf(source: 'mongod' | 'secantus', child: Child, at: { port: number; dir: string }): MongoService {
  const patience = source === 'secantus' ? SLOW : ''
  const database = (name: string) => `mongodb://127.0.0.1:${at.port}/${name}${patience}`
  return {
    url: database(newName()),
    source,
    database,
    get pid() {
      return child.pid
    },
    kill: (signal) => child.kill(signal),
    async restart() {
      await child.stop()
      await child.start()
    },
    async stop() {
      await child.stop()
      await rm(at.dir, { recursive: true, force: true })
    },
  }
}

function ofUri(uri: string): MongoService {
  const database = (name: string) => {
    const url = new URL(uri)
    url.pathname = `/${name}`
    return url.href
  }
  const notOurs = () => Promise.reject(new Error('the server of MONGO_TEST_URI is not ours to stop'))
  const url = database(newName())
  return { url, source: 'uri', pid: 0, database, kill: notOurs, restart: notOurs, stop: () => Promise.resolve() }
}

const newName = (): string => `fanfare_test_${randomBytes(4).toString('hex')}`
