import {
  type Channel,
  type ChannelLimits,
  type ChannelSettings,
  DEFAULT_LIMITS,
  type NewChannel,
  type Pause,
  type PlatformName,
  PushError,
  sentenceOfPause,
} from '@fanfare/core'
import { z } from 'zod'
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
const NEEDED: Partial<Record<PlatformName, readonly string[]>> = {
  email: ['host', 'from'],
  wecom: ['corpId', 'agentId'],
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
const MAX_WINDOW_MS = 86_400_000
const limits = z.strictObject({
  rate: z.number().min(0).max(10_000_000).optional(),
  unit: z.enum(['request', 'token']).optional(),
  perMs: z.int().min(10).max(MAX_WINDOW_MS).optional(),
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

/** A channel to be made, with its secret. */
export type ChannelDraft = Omit<NewChannel, 'id' | 'appId'> & { credential: string }

export function toDraft(given: z.output<typeof newNotifier>): ChannelDraft {
  const platform = PLATFORM_OF.get(given.provider)
  if (platform === undefined) {
    const known = [...PLATFORM_OF.keys()].join(', ')
    throw new PushError('BAD_PARAMETER', { field: 'provider', detail: `must be one of ${known}` })
  }
  const draft = {
    platform,
    name: given.name,
    limits: mergedLimits(DEFAULT_LIMITS[platform], given),
    settings: withProject(platform, mergedSettings(platform, { environment: 'PRODUCTION' }, given), given),
    credential: given.certificate,
    ...(given.disabled && { pause: DISABLED }),
  }
  checkSettings(platform, draft.settings)
  return draft
}

/** Why a channel is paused that its app switched off. */
const DISABLED: Pause = { by: 'app', reason: 'disabled by the app' }

function mergedLimits(base: ChannelLimits, given: Pick<Changed, 'limits'>): ChannelLimits {
  const own = Object.entries(given.limits ?? {}).filter(([, value]) => value !== undefined)
  const limits: ChannelLimits = { ...base, ...Object.fromEntries(own) }
  // Less than one per window is kept as one per longer window; none is longer than a day.
  if (limits.rate > 0 && limits.perMs / limits.rate > MAX_WINDOW_MS) {
    throw new PushError('BAD_PARAMETER', { field: 'limits.rate', detail: 'must be 0 or allow at least one per day' })
  }
  return limits
}

function mergedSettings(platform: PlatformName, base: ChannelSettings, given: Changed): ChannelSettings {
  const own = given[SETTINGS_KEY[platform] ?? ''] as ChannelSettings | null | undefined
  return {
    ...base,
    ...own,
    ...(given.environment && { environment: given.environment }),
    ...(given.packageName && { packageName: given.packageName }),
  }
}

function checkSettings(platform: PlatformName, given: ChannelSettings): void {
  for (const name of NEEDED[platform] ?? []) {
    if (given[name] !== undefined && given[name] !== '') continue
    throw new PushError('BAD_PARAMETER', { field: `${SETTINGS_KEY[platform]}.${name}`, detail: 'is required' })
  }
}

/** FCM counts by the project of the service account; it is shown with the settings. */
function withProject(platform: PlatformName, settings: ChannelSettings, given: WithCertificate): ChannelSettings {
  if (platform !== 'fcm') return settings
  const account = serviceAccountOf(given.certificate)
  const missing = ['project_id', 'client_email', 'private_key'].find((name) => typeof account[name] !== 'string')
  if (missing) {
    throw new PushError('BAD_PARAMETER', { field: 'certificate', detail: `must be a service account: no ${missing}` })
  }
  // One that the caller names is judged against the certificate; one that stands there is of the certificate before.
  return { ...settings, projectId: given.fcmSettings?.['projectId'] ?? String(account['project_id']) }
}

type WithCertificate = Pick<Changed, 'fcmSettings'> & { certificate: string }

function serviceAccountOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** Where the reason a credential is refused for belongs: to a setting it needs, or to itself. */
export function refusedCredential(platform: PlatformName, reason: string): { field: string; detail: string } {
  const [, name, detail] = /^setting (\w{1,32}) (.*)$/s.exec(reason) ?? []
  if (name === undefined || detail === undefined) return { field: 'certificate', detail: reason }
  return { field: name === 'packageName' ? name : `${SETTINGS_KEY[platform]}.${name}`, detail }
}

export type ChannelChange = {
  limits?: ChannelLimits
  settings?: ChannelSettings
  /** `null` resumes. */
  pause?: Pause | null
  credential?: string
}

/** What a PATCH changes; objects are merged into what stands. */
export function changeOf(channel: Channel, given: Changed): ChannelChange {
  const { platform } = channel
  const merged = mergedSettings(platform, channel.settings, given)
  const { certificate, fcmSettings } = given
  const settings = certificate ? withProject(platform, merged, { certificate, fcmSettings }) : merged
  checkSettings(platform, settings)
  return {
    settings,
    ...(given.limits && { limits: mergedLimits(channel.limits, given) }),
    ...(given.certificate && { credential: given.certificate }),
    ...(given.disabled === true && {
      pause: channel.pause && channel.pause.by !== 'operator' ? channel.pause : DISABLED,
    }),
    ...(given.disabled === false && { pause: null }),
  }
}

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
