import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis'
import { placeOf, type RedisPlace, type Tls } from './url.ts'

/** A single Redis, the master that Sentinels name, or a cluster. */
export type Connection = Redis | Cluster

/**
 * What happens to a command while Redis is away. `none`: it fails at once and is never sent again. `short`: it fails
 * within 1.5 s and may be sent once more. `endless`: it waits as long as it takes, as BullMQ demands of workers.
 */
export type Patience = 'none' | 'short' | 'endless'

type Common = Pick<
  RedisOptions,
  | 'connectTimeout'
  | 'socketTimeout'
  | 'maxRetriesPerRequest'
  | 'commandTimeout'
  | 'connectionName'
  | 'keepAlive'
  | 'disconnectTimeout'
>

/**
 * A connection that is owed an answer for `socketTimeout` is opened anew: a master that vanished closed none. BullMQ's
 * workers wait for a job up to 10 s. ioredis' detector of failovers is no way to do it: a switch that it hears of while the
 * connection is being opened ends the connection for good.
 */
const PATIENCE: Readonly<Record<Patience, Common>> = {
  none: { connectTimeout: 2000, socketTimeout: 5000, maxRetriesPerRequest: 0 },
  short: { connectTimeout: 2000, socketTimeout: 5000, maxRetriesPerRequest: 1, commandTimeout: 1500 },
  endless: { connectTimeout: 5000, socketTimeout: 15_000, maxRetriesPerRequest: null },
}
/** Sent again 100 ms apart: until a replica is promoted, a command of the endless finds no server. */
const MOST_REDIRECTIONS: Readonly<Record<Patience, number>> = { none: 1, short: 16, endless: 3000 }
/** A master that vanished without closing its connections is noticed by this. */
const REFRESH_MS = 5000

/** Capped at a second, so that work resumes soon after Redis is back; spread, so that a fleet does not come at once. */
const againMs = (times: number): number => Math.min(times * 100, 1000) * (0.8 + Math.random() * 0.4)

/** Opens a connection to what REDIS_URL names, in the background: Redis may be away. Throws where the URL is wrong. */
export function connect(url: string, patience: Patience, connectionName?: string): Connection {
  const place = placeOf(url)
  const common: Common = {
    ...PATIENCE[patience],
    keepAlive: 10_000,
    // A connection that is closed already is waited for as long as one that is not.
    disconnectTimeout: 100,
    ...(connectionName !== undefined && { connectionName }),
  }
  const connection = place.form === 'cluster' ? ofCluster(place, common, patience) : ofServer(place, common, patience)
  // Each user of a connection sees its own commands fail; an outage must not end the process.
  connection.on('error', () => undefined)
  return connection
}

function ofServer(place: RedisPlace, common: Common, patience: Patience): Redis {
  const { username, password, db, tls, addresses } = place
  const secure = tls && tlsOptions(tls)
  const options: Omit<RedisOptions, 'replyMapping'> = {
    ...common,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    db,
    enableOfflineQueue: patience === 'endless',
    retryStrategy: againMs,
    ...(secure && { tls: secure }),
  }
  if (place.form === 'single') return new Redis({ ...options, ...addresses[0] })
  return new Redis({
    ...options,
    sentinels: addresses.map((address) => ({ ...address })),
    ...(place.master !== undefined && { name: place.master }),
    ...(place.sentinel?.username !== undefined && { sentinelUsername: place.sentinel.username }),
    ...(place.sentinel?.password !== undefined && { sentinelPassword: place.sentinel.password }),
    ...(secure && { sentinelTLS: secure, enableTLSForSentinelMode: true }),
    sentinelRetryStrategy: againMs,
  })
}

function ofCluster(place: RedisPlace, common: Common, patience: Patience): Cluster {
  const { username, password, tls, addresses } = place
  const options: Omit<ClusterOptions, 'redisOptions'> = {
    enableOfflineQueue: patience === 'endless',
    maxRedirections: MOST_REDIRECTIONS[patience],
    clusterRetryStrategy: againMs,
    slotsRefreshInterval: REFRESH_MS,
    slotsRefreshTimeout: 2000,
    // Certificates name hosts: a host that was looked up would be an address.
    ...(tls && { dnsLookup: (host: string, found: (error: null, address: string) => void) => found(null, host) }),
  }
  const redisOptions = {
    ...common,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: tlsOptions(tls) }),
  }
  return new Cluster(
    addresses.map((address) => ({ ...address })),
    { ...options, redisOptions },
  )
}

function tlsOptions({ ca, cert, key, servername }: Tls) {
  return {
    ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
    ...(cert !== undefined && { cert: readFileSync(cert, 'utf8') }),
    ...(key !== undefined && { key: readFileSync(key, 'utf8') }),
    ...(servername !== undefined && { servername }),
  }
}

/** Resolves when the connection can be used; rejects with why it cannot (refused, a wrong password), or after `ms`. */
export async function connected(connection: Connection, ms: number): Promise<void> {
  if (connection.status === 'ready') return
  try {
    await once(connection, 'ready', { signal: AbortSignal.timeout(ms) })
  } catch (error) {
    // Of a cluster the error says that no node answered; the last node's own says why.
    throw (error as { lastNodeError?: Error }).lastNodeError ?? error
  }
}

/** Ends a connection without waiting for a server that may not answer. */
export const disconnect = (connection: Connection): void => connection.disconnect(false)
