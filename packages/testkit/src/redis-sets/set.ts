import { connect, connected, disconnect, serverOf, within } from '@fanfare/redis'
import { until as waitUntil } from '../fleet/tools.ts'
import { type RedisService, startRedis } from '../redis.ts'

/** Redis as people run it, of one server or of several that replace one another. */
export const REDIS_FORMS = ['single', 'sentinel', 'cluster'] as const
export type RedisForm = (typeof REDIS_FORMS)[number]

export type RedisSetOptions = {
  /** Append-only files, flushed every second. */
  appendonly?: boolean
}

/** A started set of servers, and the REDIS_URL that reaches whichever of them serve. */
export type RedisSet = {
  readonly form: RedisForm
  readonly url: string
  /** All that hold data, replicas too. */
  readonly servers: readonly RedisService[]
  /** Those that take writes now, by their own word. */
  masters(): Promise<RedisService[]>
  /** Runs a command on every master. */
  onMasters(...command: [name: string, ...args: string[]]): Promise<unknown[]>
  flush(): Promise<void>
  /** Resolves when every part serves and every replica follows its master. */
  settled(): Promise<void>
  /**
   * Kills the master that holds this key, and waits until a replica has its place; answers the killed one, which may be
   * restarted. Its replicas have heard nothing of its last `lagMs`, as replication does not wait. Single: it is gone.
   */
  failOver(key: string, lagMs?: number): Promise<RedisService>
  /** Sends a signal to all that hold data. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts all of them again, with what they kept. */
  restart(): Promise<void>
  stop(): Promise<void>
}

type Parts = {
  form: RedisForm
  url: string
  servers: readonly RedisService[]
  isSettled: (marks: Marks) => Promise<boolean>
  /** What belongs to the set besides its servers. */
  others?: readonly { stop(): Promise<void> }[]
}

/** Between two looks; what is awaited takes seconds. */
const LOOK_MS = 50
const ANSWER_MS = 5000
const SETTLED_WITHIN_MS = 120_000

export function redisSet({ form, url, servers, isSettled, others = [] }: Parts): RedisSet {
  const masters = async () => {
    const roles = await Promise.all(servers.map((server) => roleOf(server)))
    return servers.filter((_, index) => roles[index] === 'master')
  }
  const onMasters: RedisSet['onMasters'] = async (...command) =>
    Promise.all((await masters()).map((master) => ask(master, ...command)))
  const settled = () => {
    const marks: Marks = new Map()
    return until(`the ${form} set serves`, () => isSettled(marks))
  }
  return {
    form,
    url,
    servers,
    masters,
    onMasters,
    settled,
    failOver: async (key, lagMs = 0) => {
      const before = await masters()
      const master = await holderOf(url, key, before)
      await killBehind(master, await replicasOf(servers, master), lagMs)
      const isReplaced = async () => (await masters()).length === before.length
      if (form !== 'single') await until('a replica is promoted', isReplaced)
      return master
    },
    flush: async () => void (await onMasters('FLUSHALL')),
    kill: async (signal) => void (await Promise.all(servers.map((server) => server.kill(signal)))),
    restart: async () => {
      await Promise.all(servers.map((server) => server.restart()))
      await settled()
    },
    stop: async () => void (await Promise.all([...others, ...servers].map((each) => each.stop()))),
  }
}

export async function startSingle(options: RedisSetOptions): Promise<RedisSet> {
  const server = await startRedis(options)
  return redisSet({ form: 'single', url: server.url, servers: [server], isSettled: () => Promise.resolve(true) })
}

/** One command on this server itself; rejects where it is not answered within some seconds. */
export async function ask(
  at: { url: string },
  ...[name, ...args]: [name: string, ...args: string[]]
): Promise<unknown> {
  const connection = connect(at.url, 'endless')
  try {
    return await within(ANSWER_MS, connection.call(name, ...args), () => {
      throw new Error(`${at.url} does not answer ${name}`)
    })
  } finally {
    disconnect(connection)
  }
}

/** undefined where it does not run. */
async function roleOf(server: RedisService): Promise<string | undefined> {
  if (!server.running) return undefined
  return String(((await ask(server, 'ROLE')) as unknown[])[0])
}

async function holderOf(url: string, key: string, masters: readonly RedisService[]): Promise<RedisService> {
  const connection = connect(url, 'endless')
  await connected(connection, SETTLED_WITHIN_MS)
  const port = serverOf(connection, key)?.options.port
  disconnect(connection)
  const [only] = masters
  const holder = masters.length === 1 ? only : masters.find((master) => master.port === port)
  if (!holder) throw new Error(`no master holds ${key}`)
  return holder
}

async function replicasOf(servers: readonly RedisService[], master: RedisService): Promise<RedisService[]> {
  const roles = await Promise.all(servers.map((server) => ask(server, 'ROLE') as Promise<unknown[]>))
  return servers.filter((_, index) => roles[index]?.[0] === 'slave' && roles[index]?.[2] === master.port)
}

/** Frozen replicas do not notice that their connection is cut, so that they do not come back for what they missed. */
async function killBehind(master: RedisService, replicas: readonly RedisService[], lagMs: number): Promise<void> {
  if (lagMs > 0) {
    await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
    await ask(master, 'CLIENT', 'KILL', 'TYPE', 'REPLICA')
    await new Promise((resolve) => setTimeout(resolve, lagMs))
  }
  await master.kill('SIGKILL')
  await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))
}

/** How far each master had come when it was looked at first, by port. */
export type Marks = Map<number, number>

/** Whether the server follows a master, or is one whose replicas have said that they have what it had at its mark. */
export async function isInStep(server: RedisService, marks: Marks): Promise<boolean> {
  const info = String(await ask(server, 'INFO', 'replication'))
  if (info.includes('role:slave')) return info.includes('master_link_status:up')
  const offset = Number(/master_repl_offset:(\d+)/.exec(info)?.[1])
  const mark = Math.min(offset, marks.get(server.port) ?? offset)
  marks.set(server.port, mark)
  const replicas = [...info.matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)]
  return replicas.length > 0 && replicas.every(([, has]) => Number(has) >= mark)
}

/** A server that does not answer yet is looked at again; the error, where it never does, has its last one as cause. */
export async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  let cause: unknown
  const ask = () =>
    holds().then(
      (does) => does || undefined,
      (error: unknown) => {
        cause = error
        return undefined
      },
    )
  await waitUntil(what, ask, { withinMs: SETTLED_WITHIN_MS, everyMs: LOOK_MS }).catch((late: Error) => {
    throw new Error(late.message, { cause })
  })
}
