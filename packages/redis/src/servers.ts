import { Command, type Redis } from 'ioredis'
import type { Connection } from './connect.ts'

/** One server of a connection: of a cluster a node, else the connection itself. */
export type Server = Redis

/** The servers that hold data. */
export const mastersOf = (connection: Connection): Server[] =>
  'slots' in connection ? connection.nodes('master') : [connection]

/** The server that holds this key, as far as is known; undefined where a cluster has none for it now. */
export function serverOf(connection: Connection, key: string): Server | undefined {
  if (!('slots' in connection)) return connection
  const [master] = connection.slots[new Command('get', [key]).getSlot()] ?? []
  return connection.nodes('master').find(({ options }) => `${options.host}:${options.port}` === master)
}

/**
 * Names the memory of a server: another one after a restart, and after each promotion. What was written last before it
 * may be missing, as replication does not wait. 16 characters of the run id for a server that never was a replica.
 */
export async function identityOf(server: Server): Promise<string> {
  const [about, replication] = await Promise.all([server.info('server'), server.info('replication')])
  const run = /run_id:(\w+)/.exec(about)?.[1]?.slice(0, 16) ?? 'redis'
  const wasReplica = /second_repl_offset:\d/.test(replication)
  const history = wasReplica ? /master_replid:(\w{8})/.exec(replication)?.[1] : undefined
  return history === undefined ? run : `${run}-${history}`
}
