import type { AppSettings } from './app.ts'
import type { ChannelLimits, PlatformName } from './channel.ts'

/**
 * What a vendor account may take by default (docs/vendors.md §0.1); `rate` 0 = no limit. Changeable per channel at run
 * time.
 */
export const DEFAULT_LIMITS: Readonly<Record<PlatformName, ChannelLimits>> = {
  apns: { rate: 0, unit: 'token', perMs: 1000, maxInFlight: 1000 },
  fcm: { rate: 500, unit: 'token', perMs: 1000 },
  xiaomi: { rate: 500, unit: 'request', perMs: 1000 },
  huawei: { rate: 6000, unit: 'token', perMs: 1000 },
  email: { rate: 50, unit: 'token', perMs: 1000 },
  wecom: { rate: 10_000, unit: 'token', perMs: 60_000 },
  online: { rate: 0, unit: 'token', perMs: 1000 },
}

export const APP_DEFAULTS: Required<AppSettings> = {
  maxRunningTasks: 3,
  maxTasksPer5Min: 3,
  maxLabels: 100,
  maxLabelsPerPush: 3,
  requestsPerMinute: 0,
  maxBacklog: 20_000,
  maxNotifiers: 100,
}

/** Members of one chunk at most. */
export const CHUNK_SIZE = 1000
/** A claim or a synchronous push holds its chunk this long without a sign of life. */
export const LEASE_MS = 10_000
/** Start + this = a task's expiry unless it says otherwise. */
export const TASK_TTL_MS = 24 * 3600_000
