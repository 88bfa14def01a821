import { type Channel, type ChannelSettings, type PlatformName, PushError, sentenceOfPause } from '@fanfare/core'
import { z } from 'zod'
import type { ChannelChange, ChannelDraft } from '../operations/channel-change.ts'
import type { ChannelRef } from '../operations/channels.ts'
import { notifierName } from './names.ts'

/** Provider names of the wire (docs/wire-api.md §4.3); EMAIL and WECOM are ours, FCM is taken for ANDROID. */
export const PLATFORM_OF: ReadonlyMap<string, PlatformName> = new Map([
  ['APNS', 'apns'],
  ['ANDROID', 'fcm'],
  ['FCM', 'fcm'],
  ['XIAOMIPUSH', 'xiaomi'],
  ['HUAWEIPUSH', 'huawei'],
  ['EMAIL', 'email'],
  ['WECOM', 'wecom'],
])
export const PROVIDER_OF: Readonly<Record<PlatformName, string>> = {
  apns: 'APNS',
  fcm: 'ANDROID',
  xiaomi: 'XIAOMIPUSH',
  huawei: 'HUAWEIPUSH',
  email: 'EMAIL',
  wecom: 'WECOM',
  online: 'ONLINE',
}
/** The settings object of a platform. Its values are public; the secret part is `certificate`. */
const SETTINGS_KEY: Partial<Record<PlatformName, string>> = {
  apns: 'apnsSettings',
  fcm: 'fcmSettings',
  xiaomi: 'xiaomiPushSettings',
  huawei: 'huaweiPushSettings',
  email: 'emailSettings',
  wecom: 'wecomSettings',
}
const ENVIRONMENTS = ['PRODUCTION', 'DEVELOPMENT'] as const

const line = z
  .string()
  .max(512)
  .regex(/^[^\p{Cc}]*$/u, 'must not contain control characters')
const settings = z.record(
  z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,31}$/, 'is no name of a setting'),
  z.union([line, z.number(), z.boolean()]),
)
const limits = z.strictObject({
  rate: z.number().min(0).max(10_000_000).optional(),
  unit: z.enum(['request', 'token']).optional(),
  perMs: z.int().min(10).max(86_400_000).optional(),
  timedAt: z.enum(['answer', 'issue']).optional(),
  maxInFlight: z.int().min(1).max(100_000).optional(),
})
const certificate = z
  .string()
  .min(1)
  .max(64 * 1024)
const changeable = {
  environment: z.enum(ENVIRONMENTS).nullish(),
  packageName: line.nullish(),
  apnsSettings: settings.nullish(),
  fcmSettings: settings.nullish(),
  xiaomiPushSettings: settings.nullish(),
  huaweiPushSettings: settings.nullish(),
  emailSettings: settings.nullish(),
  wecomSettings: settings.nullish(),
  limits: limits.nullish(),
  disabled: z.boolean().nullish(),
}
export const newNotifier = z.looseObject({ ...changeable, name: notifierName, provider: z.string(), certificate })
export const changedNotifier = z.looseObject({ ...changeable, certificate: certificate.nullish() })
type Changed = z.output<typeof changedNotifier>

export function toDraft(given: z.output<typeof newNotifier>): ChannelDraft {
  const platform = PLATFORM_OF.get(given.provider)
  if (platform === undefined) {
    const known = [...PLATFORM_OF.keys()].join(', ')
    throw new PushError('BAD_PARAMETER', { field: 'provider', detail: `must be one of ${known}` })
  }
  return { ...toChange(platform, given), platform, name: given.name, credential: given.certificate }
}

export function toChange(platform: PlatformName, given: Changed): ChannelChange {
  const { environment, packageName, limits, certificate, disabled } = given
  const own = given[SETTINGS_KEY[platform] ?? ''] as ChannelSettings | null | undefined
  return {
    settings: { ...own, ...(environment && { environment }), ...(packageName && { packageName }) },
    ...(limits && { limits }),
    ...(certificate && { credential: certificate }),
    ...(typeof disabled === 'boolean' && { disabled }),
  }
}

/** A setting of a platform as callers write it. */
export const settingField = (platform: PlatformName, name: string): string =>
  name === 'packageName' ? name : `${SETTINGS_KEY[platform]}.${name}`

/** A channel as the wire shows it; the certificate is never part of it. */
export function notifierView(channel: Channel) {
  const { environment, packageName, ...own } = channel.settings
  const key = SETTINGS_KEY[channel.platform]
  return {
    uuid: uuidOf(channel.id),
    type: 'notifier',
    name: channel.name,
    created: channel.createdAt.getTime(),
    modified: channel.updatedAt.getTime(),
    disabled: channel.pause !== undefined,
    ...(channel.pause && { pausedFor: sentenceOfPause(channel.pause) }),
    provider: PROVIDER_OF[channel.platform],
    environment: environment ?? 'PRODUCTION',
    ...(packageName !== undefined && { packageName }),
    ...(key !== undefined && Object.keys(own).length > 0 && { [key]: own }),
    limits: channel.limits,
  }
}

/** A channel's id in the form of a UUID (version 8): names may be digits, uuids may not be taken for them. */
export function uuidOf(id: string): string {
  const hex = Number(id).toString(16).padStart(14, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(12)}0-8000-000000000000`
}

export function idOfUuid(uuid: string): string | undefined {
  const found = /^([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{2})0-8000-000000000000$/.exec(uuid.toLowerCase())
  return found ? String(Number.parseInt(`${found[1]}${found[2]}${found[3]}`, 16)) : undefined
}

/** The notifier that a path names, by its name or its uuid. */
export const pathNotifier = ({ notifier = '' }: Readonly<Record<string, string>>): ChannelRef => ({
  name: notifier,
  id: idOfUuid(notifier),
})
