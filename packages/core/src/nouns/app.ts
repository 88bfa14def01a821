/** One tenant, `org/name`. The client secret is kept only as a SHA-256 hash (hex). */
export type App = {
  id: string
  org: string
  name: string
  clientId: string
  clientSecretHash: string
  settings: AppSettings
  /** The operator switched it off: its tokens are refused and nothing is sent for it. */
  disabled?: boolean
  /** Tokens whose `iat` is lower have ended; seconds since 1970 by the store's clock. */
  tokensFrom?: number
  createdAt: Date
}

/** Settings of one app; whatever is absent has the default of `APP_DEFAULTS`. */
export type AppSettings = {
  maxRunningTasks?: number
  maxTasksPer5Min?: number
  maxLabels?: number
  maxLabelsPerPush?: number
  requestsPerMinute?: number
  maxBacklog?: number
  maxNotifiers?: number
}
