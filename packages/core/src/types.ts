/**
 * The nouns of Fanfare (design.md §2). A new noun goes here first; the same word then stands in the URL, the code, the
 * queue and the table. Ids are decimal digits in a string and fit 2^53 − 1.
 */

export const PLATFORMS = ['apns', 'fcm', 'xiaomi', 'huawei', 'email', 'wecom', 'online'] as const
/** A vendor's protocol. */
export type PlatformName = (typeof PLATFORMS)[number]

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

/** Why every channel of such an app is paused; what it is paused for itself stands behind it. */
export const APP_DISABLED = 'the app is disabled by the operator'

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

/** How much a vendor account may be sent: `rate` units per `perMs`; `rate` 0 = no limit. */
export type ChannelLimits = {
  rate: number
  unit: 'request' | 'token'
  perMs: number
  /** When a permit's window starts: at the vendor's answer (exact, the default) or at the send (design.md §8). */
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
  /** Why the channel is paused (by an operator or by the breaker); absent = it runs. */
  pausedFor?: string
  /** Absent until a channel of the first version is opened. */
  account?: ChannelAccount
  createdAt: Date
  updatedAt: Date
}

/** What a channel needs besides its secret: package name, key id, region, host … (wire-api.md §4.3). All values public. */
export type ChannelSettings = Readonly<Record<string, string | number | boolean>>

/** One place where one user can be reached. A token belongs to one user of a channel: the last binding wins. */
export type Device = {
  id: string
  appId: string
  userId: string
  deviceId: string
  channelId: string
  token: string
  /** False once a vendor said that the token is dead; a new binding makes it live again. */
  live: boolean
  updatedAt: Date
}

/** A named set of users of an app. */
export type Label = { id: string; appId: string; name: string; description: string; count: number; createdAt: Date }
export type LabelMember = { userId: string; createdAt: Date }

export type Audience =
  | { kind: 'users'; userIds: readonly string[] }
  | { kind: 'labels'; allOf: readonly string[] }
  | { kind: 'everyone' }

/** The ordered ways to reach a user (design.md §2, strategies 0–4). */
export type Way = 'online' | 'vendor' | 'inbox'
export type Route = readonly Way[]

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** What to say: basic fields, and an object per platform that wins there (wire-api.md §2). */
export type Message = {
  title: string
  content: string
  subTitle?: string
  ext?: JsonObject
  config?: JsonObject
  apns?: JsonObject
  fcm?: JsonObject
  fcmV1?: JsonObject
  xiaomi?: JsonObject
  huawei?: JsonObject
  harmonyOS?: JsonObject
  email?: JsonObject
  wecom?: JsonObject
  online?: JsonObject
}

export type TaskState = 'scheduled' | 'planning' | 'sending' | 'paused' | 'done' | 'cancelled' | 'failed'
/** `sync` is never queued; `single` goes before `bulk`. */
export type Lane = 'sync' | 'single' | 'bulk'
export type OnUnknown = 'resend' | 'drop'

/** One accepted request: an audience, a message, a route. */
export type Task = {
  id: string
  appId: string
  lane: Lane
  audience: Audience
  message: Message
  route: Route
  onUnknown: OnUnknown
  state: TaskState
  createdAt: Date
  startsAt?: Date
  expiresAt: Date
  startedAt?: Date
  finishedAt?: Date
  /** Members per second for the whole task, on top of the channel's limit; absent = none. */
  rate?: number
  canary?: Canary
  /** How far the planner has come; absent for tasks that were planned when accepted. */
  plan?: Plan
}

/** The first `percent` of the plan goes out alone; the rest waits until at most `maxFailPercent` of it failed. */
export type Canary = { percent: number; maxFailPercent: number; state: 'running' | 'passed' | 'held' }

/** The planner's progress: one range per channel (or part of one), each with the place where it goes on. */
export type Plan = {
  /** Devices with an id above this were bound after the task started and are not part of it. */
  upToDeviceId: string
  ranges: readonly PlanRange[]
  /** Members expected, an estimate made when planning starts. */
  expected?: number
  complete: boolean
}
/**
 * `seqBase`: the first chunk number of the range, so that ranges can be planned in parallel without meeting.
 * `planned`: members in the chunks written so far. A list of users has one range with no channel (`channelId` '').
 */
export type PlanRange = {
  channelId: string
  seqBase: number
  cursor: string
  planned: number
  done: boolean
  /** Last device id of the range; absent = the plan's `upToDeviceId`. */
  upTo?: string
  /** The first so many members of the range are the canary. */
  canary?: number
}

export const OUTCOMES = [
  'unsent',
  'started',
  'sent',
  'invalid',
  'rejected',
  'deferred',
  'unknown',
  'expired',
  'cancelled',
  'handedOn',
] as const
/** What became of one member. The index in this list is what the ledger stores, in four bits. */
export type Outcome = (typeof OUTCOMES)[number]

/** One member of a chunk: a device, or (where a target has none) only the user. */
export type Member = { deviceId?: string; userId?: string }

/** `waiting`: planned, outside the window of jobs in Redis. `planned`: to be enqueued. `dead`: poison. */
export type ChunkState = 'waiting' | 'planned' | 'queued' | 'sending' | 'done' | 'dead'

/** At most 1,000 members of one task on one channel: the unit of work, of the ledger and of a job. */
export type Chunk = {
  taskId: string
  seq: number
  appId: string
  /** Absent for targets that have no device: such a chunk is final when written. */
  channelId?: string
  lane: Lane
  members: readonly Member[]
  outcomes: readonly Outcome[]
  /** Why members were not sent: reason → indices of members. */
  reasons: Readonly<Record<string, readonly number[]>>
  state: ChunkState
  /** Raised only by whoever enqueues again. */
  gen: number
  /** Raised by every claim and held by the claimer: every later write is conditional on it. */
  fence: number
  /** How often sending has begun; more than `MAX_STARTS` makes the chunk poison. */
  starts: number
  /** Members below this index may have been handed to the vendor: after a crash they are `unknown`. */
  started: number
  /** How often a deferred remainder was tried; the exponent of the backoff. */
  tries: number
  leaseUntil?: Date
  /** Not to be claimed before this instant. */
  nextAt?: Date
}

/** What a job carries. `gen` makes the job id of a re-enqueued chunk a new one. */
export type ChunkRef = { taskId: string; seq: number; gen: number }

/**
 * Asks leave for a further request to members whose first one was answered (a new access token, a batch that is split):
 * for how many it was got, or when to come again. Every request to a vendor has a permit of its own.
 */
export type AskAgain = (members: number) => Promise<{ members: number } | { afterMs: number }>

/** One request to a vendor: one channel, one message. */
export type Batch = {
  message: Message
  members: readonly BatchMember[]
  /** Stable over retries of the same members; for vendors that can drop a repetition. */
  id: string
  taskId: string
  expiresAt: Date
  /** Called when all requests made so far for the batch are answered. Absent: whoever pushes keeps no limit. */
  again?: AskAgain
}
/** Task and `id` together name the delivery, the same over all retries. */
export type BatchMember = { id: string; token: string }

/** What became of one member. `reply` is the vendor's raw answer, passed through by synchronous pushes. */
export type PushResult = { id: string; reply?: unknown } & (
  | { outcome: 'sent' }
  /** The token is dead. `since`: the vendor's time stamp of it. `gated`: may also mean a wrong project (vendors.md §0.4). */
  | { outcome: 'invalid'; reason: string; since?: Date; gated?: boolean }
  | { outcome: 'rejected'; reason: string }
  /**
   * `free`: the vendor did not process it (REFUSED_STREAM, GOAWAY, connect refused), so the try is not counted.
   * `busy`: it asked the account to slow down while other members of the batch got an answer; the limiter is told.
   */
  | { outcome: 'deferred'; reason: string; afterMs?: number; free?: boolean; busy?: boolean }
  | { outcome: 'unknown'; reason: string }
)

/** One vendor, opened with one channel's credentials. */
export interface Pusher {
  /** Members per request: 1,000 for Xiaomi, Huawei, WeCom; 1 for APNs, FCM, email. */
  readonly batchSize: number
  /**
   * Sends to all members, in as many requests as `batchSize` asks for, and answers one result per member.
   * Rejects only when it knows nothing of any: ChannelError (credentials) or BusyError (back off).
   */
  push(batch: Batch, signal: AbortSignal): Promise<PushResult[]>
  close(): Promise<void>
}
