/** What can be changed while the simulator runs (`PUT /settings`). Times in the unit of their name. */
export type Settings = {
  /** Every vendor answer waits this long. */
  latencyMs: number
  /** Life of Google and Huawei access tokens. */
  oauthTokenSeconds: number
  /** Life of WeCom access tokens. */
  wecomTokenSeconds: number
  /** APNs: an older provider token is answered ExpiredProviderToken. */
  apnsTokenMaxAgeSeconds: number
  /** APNs: a second provider token of a team within this time is answered TooManyProviderTokenUpdates; 0 = never. */
  apnsTokenUpdateSeconds: number
  /** SETTINGS_MAX_CONCURRENT_STREAMS for sessions that are opened from now on. */
  maxConcurrentStreams: number
  /** The same until a session has had its first success, as APNs does with 1; 0 = no difference. */
  firstStreams: number
}

export const DEFAULT_SETTINGS: Readonly<Settings> = {
  latencyMs: 0,
  oauthTokenSeconds: 3599,
  wecomTokenSeconds: 7200,
  apnsTokenMaxAgeSeconds: 3600,
  apnsTokenUpdateSeconds: 1200,
  maxConcurrentStreams: 1000,
  firstStreams: 0,
}

/** Takes over the numbers of `changes`. Throws RangeError for a name or a value that does not exist. */
export function changeSettings(settings: Settings, changes: object): void {
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(DEFAULT_SETTINGS, name)) throw new RangeError(`no setting ${name}`)
    if (typeof value !== 'number' || !(value >= 0)) throw new RangeError(`${name} must be a number of at least 0`)
  }
  Object.assign(settings, changes)
}
