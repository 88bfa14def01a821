import { createHash } from 'node:crypto'
import type { Channel, ChannelLimits, ChannelSettings, PlatformName } from '@fanfare/core'

/** A vendor account as one channel asks for it. */
export type Account = {
  key: string
  channelId: string
  limits: ChannelLimits
  /** When the channel was changed last: of two askers with different limits the later change holds. */
  version: number
}

export const accountFor = (channel: Channel): Account => ({
  key: accountOf(channel),
  channelId: channel.id,
  limits: wholeLimits(channel.limits),
  version: channel.updatedAt.getTime(),
})

/** Less than one unit per window is one unit per longer window: 0.2 per second is one per five seconds. */
function wholeLimits(limits: ChannelLimits): ChannelLimits {
  const { rate, perMs } = limits
  return rate > 0 && rate < 1 ? { ...limits, rate: 1, perMs: Math.ceil(perMs / rate) } : limits
}

/** The settings that name a vendor's account; without them the channel's name stands (an app id at most vendors). */
const ACCOUNT_SETTINGS: Readonly<Record<PlatformName, readonly string[]>> = {
  fcm: ['projectId'],
  apns: ['teamId', 'bundleId'],
  xiaomi: ['appId'],
  huawei: ['appId'],
  wecom: ['corpId', 'agentId'],
  email: ['host', 'user'],
  online: [],
}

/**
 * The vendor account behind a channel (design.md §8): FCM project, APNs team and topic, Xiaomi or Huawei app, WeCom corp
 * and agent, mail host and user. Channels with the same account share its limit. The online way is the app's own.
 */
export function accountOf(channel: Pick<Channel, 'id' | 'appId' | 'platform' | 'name' | 'settings'>): string {
  if (channel.platform === 'online') return `online:${channel.appId}`
  const values = ACCOUNT_SETTINGS[channel.platform].map((name) => settingOf(channel.settings, name))
  const own = values.every((value) => value === undefined) ? [channel.name] : values.map((value) => value ?? '')
  return `${channel.platform}:${digestOf(own)}`
}

function settingOf(settings: ChannelSettings, name: string): string | undefined {
  const value = settings[name]
  return value === undefined || value === '' ? undefined : String(value).toLowerCase()
}

/** Names come from tenants: a digest keeps them out of Redis keys, whatever they hold. */
const digestOf = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24)
