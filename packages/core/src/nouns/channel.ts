import type { Pause } from './pause.ts'

/**
 * The nouns of Fanfare (docs/design.md §2). A new noun goes here first; the same word then stands in the URL, the code,
 * the queue and the table. Ids are decimal digits in a string and fit 2^53 − 1.
 */

export const PLATFORMS = ['apns', 'fcm', 'xiaomi', 'huawei', 'email', 'wecom', 'online'] as const

/** A vendor's protocol. */
export type PlatformName = (typeof PLATFORMS)[number]

/** How much a vendor account may be sent: `rate` units per `perMs`; `rate` 0 = no limit. */
export type ChannelLimits = {
  rate: number
  unit: 'request' | 'token'
  perMs: number
  /** When a permit's window starts: at the vendor's answer (exact, the default) or at the send (docs/design.md §8). */
  timedAt?: 'answer' | 'issue'
  /** How many requests may be under way at once over one process; APNs has only this. */
  maxInFlight?: number
}

/** Whose limit a channel counts against (accounts.ts). */
export type ChannelAccount = {
  /** What the vendor counts by – an FCM project, an APNs team and topic … – from the credential or else the settings. */
  id: string
  /** Keyed hash of the credential: who holds the same one shares an account. */
  proof: string
  /** Names the account; the limiter counts by it. */
  key: string
}

/** One app's account with one platform. Credentials are sealed in the store and never part of this record. */
export type Channel = {
  id: string
  appId: string
  platform: PlatformName
  name: string
  limits: ChannelLimits
  settings: ChannelSettings
  /** Absent = it runs. */
  pause?: Pause
  /** Absent until a channel of the first version is opened. */
  account?: ChannelAccount
  createdAt: Date
  updatedAt: Date
}

/**
 * What a channel needs besides its secret: package name, key id, region, host … (docs/wire-api.md §4.3). All values
 * public.
 */
export type ChannelSettings = Readonly<Record<string, string | number | boolean>>
