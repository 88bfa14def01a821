import { readBytes, readMasterKeys, TASK_TTL_MS } from '@fanfare/core'
import { type AllowedAddress, readAllowedAddresses } from '@fanfare/platforms'
import { readRedisUrl } from '@fanfare/redis'
import { MAX_DEVICES_PER_USER } from '@fanfare/storage'
import { readNetworks } from './http/callers.ts'
import type { SocketLimits } from './http/sockets.ts'

/** Everything the API can be told from outside; read from the environment once and judged once. */
export type ApiConfig = SocketLimits & {
  storeUrl: string
  /** SQLite's `synchronous`; `normal` gives up that an accepted push survives a power cut. */
  storeSync: 'full' | 'normal'
  redisUrl: string
  /** What Redis may take where it has no `maxmemory` itself; absent = no limit. */
  redisMaxMemoryBytes?: number
  /** 32 bytes. Seals credentials; the token and fingerprint keys are derived from it. */
  masterKey: Buffer
  /** Where keys are rotated: all of them, `masterKey` first. The others open and verify what they sealed and signed. */
  masterKeys?: readonly Buffer[]
  /** Absent: every admin route refuses. */
  operatorToken?: string
  host: string
  port: number
  /** Operators only: one base URL in place of every vendor's host (the simulator), a CA to trust, an SMTP host:port. */
  vendorUrl?: string
  vendorCa?: string
  vendorSmtp?: string
  /** Of one user, over all channels; beyond it the one bound longest ago goes. */
  maxDevicesPerUser: number
  /** What tenants may name as their servers although it is not public. */
  allowedAddresses: readonly AllowedAddress[]
  logLevel: string
  /** IANA name of the zone in which `startDate` is read. */
  zone: string
  /** What a Han character counts in title and content limits (docs/wire-api.md §7.15). */
  hanWidth: 1 | 2
  /** From a task's start to its expiry. */
  taskTtlMs: number
  /** Requests that are worked on at once, counted from when they have arrived whole; more are answered 503. */
  maxInFlight: number
  /** A request must have arrived whole within this; its head within 10 s. */
  requestTimeoutMs: number
}

type Env = Readonly<Record<string, string | undefined>>

/** Reads the environment; throws one clear sentence for the first thing that is wrong. */
export function readConfig(env: Env = process.env): ApiConfig {
  const optional = pick(env, {
    vendorUrl: 'VENDOR_URL',
    vendorCa: 'VENDOR_CA',
    vendorSmtp: 'VENDOR_SMTP',
  })
  return {
    ...optional,
    ...operatorTokenOf(env['FANFARE_OPERATOR_TOKEN']),
    ...memoryOf(env['FANFARE_REDIS_MAXMEMORY']),
    ...API_DEFAULTS,
    storeUrl: env['STORE_URL'] ?? env['MONGO_URI'] ?? API_DEFAULTS.storeUrl,
    storeSync: oneOf('STORE_SYNC', env['STORE_SYNC'] ?? 'full', ['full', 'normal']),
    redisUrl: readRedisUrl('REDIS_URL', env['REDIS_URL'] || API_DEFAULTS.redisUrl),
    ...readMasterKeys(env['FANFARE_MASTER_KEY'], env['FANFARE_MASTER_KEYS']),
    host: env['HOST'] ?? API_DEFAULTS.host,
    port: wholeNumber('PORT', env['PORT'] ?? '8099', 0, 65_535),
    allowedAddresses: readAllowedAddresses('FANFARE_ALLOWED_ADDRESSES', env['FANFARE_ALLOWED_ADDRESSES']),
    maxDevicesPerUser: wholeNumber(
      'FANFARE_MAX_DEVICES_PER_USER',
      env['FANFARE_MAX_DEVICES_PER_USER'] ?? '50',
      1,
      1000,
    ),
    logLevel: env['LOG_LEVEL'] ?? API_DEFAULTS.logLevel,
    zone: zoneOf(env['FANFARE_ZONE'] ?? API_DEFAULTS.zone),
    hanWidth: oneOf('FANFARE_HAN_WIDTH', env['FANFARE_HAN_WIDTH'] ?? '2', ['1', '2']) === '1' ? 1 : 2,
    taskTtlMs: wholeNumber('FANFARE_TASK_TTL_HOURS', env['FANFARE_TASK_TTL_HOURS'] ?? '24', 1, 168) * 3600_000,
    maxSockets: wholeNumber('FANFARE_MAX_SOCKETS', env['FANFARE_MAX_SOCKETS'] ?? '10000', 10, 1_000_000),
    socketsPerAddress: wholeNumber(
      'FANFARE_SOCKETS_PER_ADDRESS',
      env['FANFARE_SOCKETS_PER_ADDRESS'] ?? '500',
      1,
      1_000_000,
    ),
    trustedProxies: readNetworks('FANFARE_TRUSTED_PROXIES', env['FANFARE_TRUSTED_PROXIES']),
  }
}

export const API_DEFAULTS = {
  storeUrl: 'sqlite:./data/fanfare.db',
  storeSync: 'full',
  redisUrl: 'redis://127.0.0.1:6379',
  host: '127.0.0.1',
  port: 8099,
  allowedAddresses: [],
  maxDevicesPerUser: MAX_DEVICES_PER_USER,
  logLevel: 'info',
  zone: 'UTC',
  hanWidth: 2,
  taskTtlMs: TASK_TTL_MS,
  maxInFlight: 500,
  requestTimeoutMs: 30_000,
  maxSockets: 10_000,
  socketsPerAddress: 500,
  trustedProxies: [],
  answerTimeoutMs: 15_000,
} as const satisfies Partial<ApiConfig>

function pick<K extends string>(env: Env, names: Record<K, string>): Partial<Record<K, string>> {
  const found: Partial<Record<K, string>> = {}
  for (const key of Object.keys(names) as K[]) {
    const value = env[names[key]]
    if (value) found[key] = value
  }
  return found
}

/** It opens every app, so it must not be one that can be guessed. */
const LEAST_OPERATOR_TOKEN = 24

function operatorTokenOf(token: string | undefined): { operatorToken?: string } {
  if (!token) return {}
  if (token.length >= LEAST_OPERATOR_TOKEN) return { operatorToken: token }
  throw new Error(
    `FANFARE_OPERATOR_TOKEN must have at least ${LEAST_OPERATOR_TOKEN} characters (openssl rand -hex 24), it has ${token.length}`,
  )
}

function memoryOf(text: string | undefined): { redisMaxMemoryBytes?: number } {
  const redisMaxMemoryBytes = readBytes('FANFARE_REDIS_MAXMEMORY', text)
  return redisMaxMemoryBytes === undefined ? {} : { redisMaxMemoryBytes }
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value)
  if (found === undefined) throw new Error(`${name} must be one of ${allowed.join(', ')}, it is ${value}`)
  return found
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && value <= most) return value
  throw new Error(`${name} must be a whole number from ${least} to ${most}, it is ${text}`)
}

function zoneOf(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return zone
  } catch {
    throw new Error(`FANFARE_ZONE must be an IANA time zone such as Asia/Shanghai, it is ${zone}`)
  }
}
