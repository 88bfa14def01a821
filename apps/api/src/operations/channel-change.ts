import {
  type Channel,
  type ChannelLimits,
  type ChannelSettings,
  DEFAULT_LIMITS,
  type Pause,
  type PlatformName,
  PushError,
} from '@fanfare/core'

/** What an app may say of its channel. Objects are merged into what stands; what is not given stays. */
export type ChannelChange = {
  limits?: { [K in keyof ChannelLimits]?: ChannelLimits[K] | undefined }
  settings?: ChannelSettings
  credential?: string
  /** `false` resumes, whatever the channel was paused for. */
  disabled?: boolean
}
export type ChannelDraft = ChannelChange & { platform: PlatformName; name: string; credential: string }

/** Why a channel is paused that its app switched off. */
const DISABLED: Pause = { by: 'app', reason: 'disabled by the app' }
/** Settings without which nothing can be sent. */
const NEEDED: Partial<Record<PlatformName, readonly string[]>> = {
  email: ['host', 'from'],
  wecom: ['corpId', 'agentId'],
}
const LONGEST_WINDOW_MS = 86_400_000

/** A channel to be made, as it is kept but for its credential and its account. */
export function drafted(draft: ChannelDraft): Pick<Channel, 'platform' | 'name' | 'limits' | 'settings' | 'pause'> {
  const { platform, name } = draft
  return {
    platform,
    name,
    limits: mergedLimits(DEFAULT_LIMITS[platform], draft.limits),
    settings: mergedSettings(platform, { environment: 'PRODUCTION' }, draft),
    ...(draft.disabled && { pause: DISABLED }),
  }
}

/** What a change makes of what stands. `pause: null` resumes. */
export function changed(channel: Channel, change: ChannelChange) {
  const isOwn = channel.pause && channel.pause.by !== 'operator'
  const saysSettings = change.settings !== undefined || change.credential !== undefined
  return {
    ...(saysSettings && { settings: mergedSettings(channel.platform, channel.settings, change) }),
    ...(change.limits && { limits: mergedLimits(channel.limits, change.limits) }),
    ...(change.disabled === true && { pause: isOwn ? channel.pause : DISABLED }),
    ...(change.disabled === false && { pause: null }),
  }
}

function mergedLimits(base: ChannelLimits, given: ChannelChange['limits']): ChannelLimits {
  const own = Object.entries(given ?? {}).filter(([, value]) => value !== undefined)
  const limits: ChannelLimits = { ...base, ...Object.fromEntries(own) }
  // Less than one per window is kept as one per longer window; none is longer than a day.
  if (limits.rate > 0 && limits.perMs / limits.rate > LONGEST_WINDOW_MS) {
    throw new PushError('BAD_PARAMETER', { field: 'limits.rate', detail: 'must be 0 or allow at least one per day' })
  }
  return limits
}

function mergedSettings(platform: PlatformName, base: ChannelSettings, change: ChannelChange): ChannelSettings {
  const merged = { ...base, ...change.settings }
  const settings = platform === 'fcm' && change.credential ? withProject(merged, change, change.credential) : merged
  for (const name of NEEDED[platform] ?? []) {
    if (settings[name] === undefined || settings[name] === '') throw badSetting(platform, name, 'is required')
  }
  return settings
}

/** FCM counts by the project of the service account; it is shown with the settings. */
function withProject(settings: ChannelSettings, given: ChannelChange, credential: string): ChannelSettings {
  const account = serviceAccountOf(credential)
  const missing = ['project_id', 'client_email', 'private_key'].find((name) => typeof account[name] !== 'string')
  if (missing) throw badCredential(`must be a service account: no ${missing}`)
  // One that the caller names is judged against the credential; one that stands there is of the credential before.
  return { ...settings, projectId: given.settings?.['projectId'] ?? String(account['project_id']) }
}

function serviceAccountOf(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

export const badSetting = (platform: PlatformName, name: string, detail: string): PushError =>
  new PushError('BAD_PARAMETER', { field: `channel.settings.${name}`, detail, platform })

const badCredential = (detail: string, cause?: unknown): PushError =>
  new PushError('BAD_PARAMETER', { field: 'channel.credential', detail }, { cause })

/** The reason a credential is refused for is about a setting that it needs, or about itself. */
export function refusedCredential(platform: PlatformName, reason: string, cause: unknown): PushError {
  const [, name, detail] = /^setting (\w{1,32}) (.*)$/s.exec(reason) ?? []
  return name === undefined || detail === undefined ? badCredential(reason, cause) : badSetting(platform, name, detail)
}
