import { readBytes, readMasterKeys } from '@fanfare/core'
import { type AllowedAddress, readAllowedAddresses } from '@fanfare/platforms'
import { readRedisUrl } from '@fanfare/redis'
import { MAX_DEVICES_PER_USER } from '@fanfare/storage'

/** Everything a worker can be told from outside; read from the environment once and judged once. */
export type WorkerConfig = {
  storeUrl: string
  /** SQLite's `synchronous`; `normal` gives up that an accepted push survives a power cut. */
  storeSync: 'full' | 'normal'
  redisUrl: string
  /** What Redis may take where it has no `maxmemory` itself; absent = no limit. */
  redisMaxMemoryBytes?: number
  /** 32 bytes. Opens the sealed credentials. */
  masterKey: Buffer
  /** Where keys are rotated: all of them, `masterKey` first. The others open and verify what they sealed and signed. */
  masterKeys?: readonly Buffer[]
  /** Operators only: one base URL in place of every vendor's host (the simulator), a CA to trust, an SMTP host:port. */
  vendorUrl?: string
  vendorCa?: string
  vendorSmtp?: string
  /** As the API has it: a list goes to so many devices of a user at most. */
  maxDevicesPerUser: number
  /** What tenants may name as their servers although it is not public. */
  allowedAddresses: readonly AllowedAddress[]
  logLevel: string
  /** Single pushes in progress at once on each platform; one app alone has nearly half of them. */
  concurrency: number
  /** Chunks of tasks in progress at once on each platform, shared in the same way. */
  maxBulk: number
  /** A chunk whose worker gave no sign of life for so long is another's. */
  leaseMs: number
  /** A job of a dead worker runs again after lock + stalled check. */
  lockMs: number
  stalledMs: number
  /** How often the sweeper looks, and how old a planned chunk must be to count as lost. */
  sweepMs: number
  graceMs: number
  /** Backoff of deferred members. */
  retryFirstMs: number
  retryMaxMs: number
  /** A channel whose credentials were refused is tried again so often. */
  probeMs: number
  /** Devices per page of a plan, a multiple of 1,000. A page is read and written in one turn of the event loop. */
  planPageSize: number
  /** How long running pushes may go on after SIGTERM before they are aborted, and all in all. */
  drainMs: number
  exitMs: number
}

type Env = Readonly<Record<string, string | undefined>>

export const WORKER_DEFAULTS = {
  storeUrl: 'sqlite:./data/fanfare.db',
  storeSync: 'full',
  redisUrl: 'redis://127.0.0.1:6379',
  allowedAddresses: [],
  maxDevicesPerUser: MAX_DEVICES_PER_USER,
  logLevel: 'info',
  concurrency: 400,
  maxBulk: 20,
  leaseMs: 10_000,
  lockMs: 10_000,
  stalledMs: 5000,
  sweepMs: 500,
  graceMs: 2000,
  retryFirstMs: 10_000,
  retryMaxMs: 600_000,
  probeMs: 60_000,
  planPageSize: 4000,
  drainMs: 15_000,
  exitMs: 20_000,
} as const satisfies Partial<WorkerConfig>

/** Reads the environment; throws one clear sentence for the first thing that is wrong. */
export function readConfig(env: Env = process.env): WorkerConfig {
  return {
    ...WORKER_DEFAULTS,
    ...given(env, { vendorUrl: 'VENDOR_URL', vendorCa: 'VENDOR_CA', vendorSmtp: 'VENDOR_SMTP' }),
    storeUrl: env['STORE_URL'] ?? env['MONGO_URI'] ?? WORKER_DEFAULTS.storeUrl,
    storeSync: syncOf(env['STORE_SYNC'] ?? 'full'),
    redisUrl: readRedisUrl('REDIS_URL', env['REDIS_URL'] || WORKER_DEFAULTS.redisUrl),
    ...memoryOf(env['FANFARE_REDIS_MAXMEMORY']),
    ...readMasterKeys(env['FANFARE_MASTER_KEY'], env['FANFARE_MASTER_KEYS']),
    allowedAddresses: readAllowedAddresses('FANFARE_ALLOWED_ADDRESSES', env['FANFARE_ALLOWED_ADDRESSES']),
    maxDevicesPerUser: numberOf('FANFARE_MAX_DEVICES_PER_USER', env, {
      least: 1,
      most: 1000,
      otherwise: MAX_DEVICES_PER_USER,
    }),
    logLevel: env['LOG_LEVEL'] ?? WORKER_DEFAULTS.logLevel,
    concurrency: numberOf('WORKER_CONCURRENCY', env, { least: 1, most: 2000, otherwise: WORKER_DEFAULTS.concurrency }),
    maxBulk: numberOf('WORKER_BULK', env, { least: 1, most: 500, otherwise: WORKER_DEFAULTS.maxBulk }),
  }
}

function given<K extends string>(env: Env, names: Record<K, string>): Partial<Record<K, string>> {
  const found: Partial<Record<K, string>> = {}
  for (const key of Object.keys(names) as K[]) {
    const value = env[names[key]]
    if (value) found[key] = value
  }
  return found
}

function memoryOf(text: string | undefined): { redisMaxMemoryBytes?: number } {
  const redisMaxMemoryBytes = readBytes('FANFARE_REDIS_MAXMEMORY', text)
  return redisMaxMemoryBytes === undefined ? {} : { redisMaxMemoryBytes }
}

function syncOf(text: string): 'full' | 'normal' {
  if (text === 'full' || text === 'normal') return text
  throw new Error(`STORE_SYNC must be full or normal, it is ${text}`)
}

function numberOf(name: string, env: Env, range: { least: number; most: number; otherwise: number }): number {
  const text = env[name]
  if (!text) return range.otherwise
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= range.least && value <= range.most) return value
  throw new Error(`${name} must be a whole number from ${range.least} to ${range.most}, it is ${text}`)
}
