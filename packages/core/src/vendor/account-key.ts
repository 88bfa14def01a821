import { createHash } from 'node:crypto'
import type { Channel, ChannelSettings, PlatformName } from '../nouns/channel.ts'

/** The settings that name what a vendor counts by; without them the channel's name stands (an app id at most vendors). */
const COUNTED_BY: Readonly<Record<PlatformName, readonly string[]>> = {
  fcm: ['projectId'],
  apns: ['teamId', 'bundleId'],
  xiaomi: ['appId'],
  huawei: ['appId'],
  wecom: ['corpId', 'agentId'],
  email: ['host', 'user'],
  online: [],
}

type Named = Pick<Channel, 'platform' | 'name' | 'settings'>

/** What the vendor counts by, as the app says; where the credential says it, that stands (packages/platforms). */
export function claimedId({ platform, name, settings }: Named): string {
  const values = COUNTED_BY[platform].map((setting) => settingOf(settings, setting))
  const own = values.every((value) => value === undefined) ? [name] : values.map((value) => value ?? '')
  return countingId(own)
}

/** One text of several parts; vendors' ids hold no blanks and differ in more than their case. */
export const countingId = (parts: readonly string[]): string => parts.join(' ').toLowerCase()

function settingOf(settings: ChannelSettings, name: string): string | undefined {
  const value = settings[name]
  return value === undefined || value === '' ? undefined : String(value)
}

/**
 * An app's own account for a counting id: all its channels that name it are one, whatever their credentials, so a
 * credential that is replaced leaves the account's window and back-off as they are. A digest, because ids come from
 * tenants: it keeps them out of Redis keys, whatever they hold.
 */
export function ownAccountKey(appId: string, platform: PlatformName, id: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([appId, id]))
    .digest('hex')
  return `${platform}:${digest.slice(0, 24)}`
}

/** The account whose limit the channel counts against. The online way is the app's own. */
export function accountKey(channel: Channel): string {
  if (channel.account) return channel.account.key
  if (channel.platform === 'online') return `online:${channel.appId}`
  return ownAccountKey(channel.appId, channel.platform, claimedId(channel))
}
