import { type AllowedAddress, readAllowedAddresses } from '@fanfare/platforms'
import { readRedisUrl } from '@fanfare/redis'
import { MAX_DEVICES_PER_USER } from '@fanfare/storage'
import { readBytes } from './bytes.ts'
import { type MasterKeys, readMasterKeys } from './master-keys.ts'
import { type Env, oneOf, optionalText, readBy, readSettings, text, wholeNumber } from './settings.ts'

/** What every process of Fanfare is told from outside; all of them are told the same. */
export type CommonConfig = MasterKeys & {
  storeUrl: string
  /** SQLite's `synchronous`; `normal` gives up that an accepted push survives a power cut. */
  storeSync: 'full' | 'normal'
  redisUrl: string
  /** What Redis may take where it has no `maxmemory` itself; absent = no limit. */
  redisMaxMemoryBytes?: number
  /** Operators only: one base URL in place of every vendor's host (the simulator), a CA to trust, an SMTP host:port. */
  vendorUrl?: string
  vendorCa?: string
  vendorSmtp?: string
  /** Of one user, over all channels; beyond it the one bound longest ago goes. A list goes to so many at most. */
  maxDevicesPerUser: number
  /** What tenants may name as their servers although it is not public. */
  allowedAddresses: readonly AllowedAddress[]
  logLevel: string
}

export const COMMON_DEFAULTS = {
  storeUrl: 'sqlite:./data/fanfare.db',
  storeSync: 'full',
  redisUrl: 'redis://127.0.0.1:6379',
  allowedAddresses: [],
  maxDevicesPerUser: MAX_DEVICES_PER_USER,
  logLevel: 'info',
} as const satisfies Partial<CommonConfig>

const COMMON = {
  storeSync: ['STORE_SYNC', oneOf(['full', 'normal'], COMMON_DEFAULTS.storeSync)],
  redisUrl: ['REDIS_URL', readBy((url = COMMON_DEFAULTS.redisUrl) => readRedisUrl(url))],
  redisMaxMemoryBytes: ['FANFARE_REDIS_MAXMEMORY', readBy(readBytes)],
  vendorUrl: ['VENDOR_URL', optionalText()],
  vendorCa: ['VENDOR_CA', optionalText()],
  vendorSmtp: ['VENDOR_SMTP', optionalText()],
  allowedAddresses: ['FANFARE_ALLOWED_ADDRESSES', readBy(readAllowedAddresses)],
  maxDevicesPerUser: [
    'FANFARE_MAX_DEVICES_PER_USER',
    wholeNumber({ least: 1, most: 1000, otherwise: MAX_DEVICES_PER_USER }),
  ],
  logLevel: ['LOG_LEVEL', text(COMMON_DEFAULTS.logLevel)],
} as const

const STORE_URL = { storeUrl: ['STORE_URL', optionalText()], mongoUri: ['MONGO_URI', optionalText()] } as const

/** STORE_URL, or its alias MONGO_URI. */
export function storeUrlOf(env: Env, otherwise: string): string {
  const { storeUrl, mongoUri } = readSettings(STORE_URL, env)
  return storeUrl ?? mongoUri ?? otherwise
}

/** Throws a SettingError: one sentence that begins with the variable. */
export const readCommonConfig = (env: Env): CommonConfig => ({
  ...readSettings(COMMON, env),
  storeUrl: storeUrlOf(env, COMMON_DEFAULTS.storeUrl),
  ...readMasterKeys(env['FANFARE_MASTER_KEY'], env['FANFARE_MASTER_KEYS']),
})
