import type { Canary, Channel, ChunkState, Lane, OnUnknown, Outcome, TaskState, Way } from '@fanfare/core'
import { type Connection, type Model, Schema } from 'mongoose'
import type { Sealed } from '../common/seal.ts'
import type { PlanDoc, RangeDoc } from './tasks/plan-docs.ts'

/**
 * The documents. Ids are numbers here, so that they compare as numbers; they fit 2^53 − 1. What holds keys of callers
 * (message, audience, settings) is JSON text, so no key of theirs ever is a field or an operator.
 */
export type AppDoc = {
  _id: number
  org: string
  name: string
  clientId: string
  clientSecretHash: string
  settings: string
  disabled?: boolean
  tokensFrom?: number
  createdAt: Date
}
export type ChannelDoc = Pick<Channel, 'platform' | 'name' | 'createdAt' | 'updatedAt' | 'account'> & {
  _id: number
  appId: number
  limits: string
  settings: string
  pausedFor?: string
  credential: Sealed
}
/** `_id` is a part of an account. */
export type AccountJoinDoc = { _id: string; joined: string }
export type DeviceDoc = {
  _id: number
  appId: number
  userId: string
  deviceId: string
  channelId: number
  token: string
  live: boolean
  updatedAt: Date
}
/** `_id` is `appId/userId`. */
export type UserDoc = { _id: string }
export type LabelDoc = {
  _id: number
  appId: number
  name: string
  description: string
  createdAt: Date
  /** How many members; `open`: changes of them that have not ended, by their name; `rev`: raised by each (label-size.ts). */
  size: number
  open?: Record<string, { at: Date; counts: boolean }>
  rev: number
}
/** `_id` is `labelId/userId`. */
export type LabelMemberDoc = { _id: string; labelId: number; userId: string; createdAt: Date }

export type IdemDoc = { key: string; fp: string; at: Date; answer?: { status: number; body: string } }
export type TaskDoc = {
  _id: number
  appId: number
  lane: Lane
  audience: string
  message: string
  route: Way[]
  onUnknown: OnUnknown
  state: TaskState
  createdAt: Date
  startsAt?: Date | undefined
  expiresAt: Date
  startedAt?: Date | undefined
  finishedAt?: Date | undefined
  rate?: number | undefined
  canary?: Canary | undefined
  plan?: PlanDoc | undefined
  idem?: IdemDoc | undefined
  /** Told by whose change was the last, where that matters (finish). */
  op?: string | undefined
} & TaskFlags
/**
 * Derived from the state, each with an index of its own, present only where it counts: `bulkApp` the app of a bulk task,
 * `runs` the same while it is open, `dueAt` the start of a scheduled one, `openUntil` the expiry while it is open,
 * `purgeAt` the end plus seven days.
 */
export type TaskFlags = {
  bulkApp?: number | undefined
  runs?: number | undefined
  dueAt?: Date | undefined
  openUntil?: Date | undefined
  purgeAt?: Date | undefined
}

/** `sync` chunks are abandoned, never rescued. */
export type WakeKind = 'planned' | 'lease' | 'deferred' | 'sync'
/** `n` members with reason `r`: their indices, 16 bits each. */
export type ReasonDoc = { r: string; n: number; i: Buffer }
export type ChunkDoc = {
  /** `task.seq` */
  _id: string
  taskId: number
  seq: number
  appId: number
  channelId?: number | undefined
  lane: Lane
  size: number
  /** Device ids as 64-bit floats, 0 = none; and the users as JSON text where there are any. */
  ids: Buffer
  users?: string | undefined
  outcomes: Buffer
  counts: Partial<Record<Outcome, number>>
  reasons: ReasonDoc[]
  state: ChunkState
  gen: number
  fence: number
  starts: number
  started: number
  tries: number
  leaseUntil?: Date | undefined
  nextAt?: Date | undefined
  /** Its seven days count from here: its task's expiry. */
  at: Date
  /** Raised by every change: each is a compare-and-set on it. `op` tells whose change was the last. */
  rev: number
  op?: string | undefined
  range?: number | undefined
  attempt?: number | undefined
} & ChunkFlags
/**
 * Derived from the state, each with an index of its own, present only where it counts: `openTask` the task while the
 * chunk is not final, `waits` the channel of a waiting bulk one, `parks` that of a waiting single one, `busy` the channel of a bulk one that is planned, queued or
 * being sent; `wakeAt` when the sweeper should look at it, and `wakeKind` as what.
 */
export type ChunkFlags = {
  openTask?: number | undefined
  waits?: number | undefined
  parks?: number | undefined
  busy?: number | undefined
  wakeKind?: WakeKind | undefined
  wakeAt?: Date | undefined
}
export type CounterDoc = { _id: string; next: number }
export type LeaseDoc = { _id: string; holder: string; until: Date }
export type RevokedDoc = { _id: string; at: Date; expiresAt: Date; appId?: number }
/** One document: which of the migrations this database has had. */
export type SchemaDoc = { _id: string; version: number }

export type Models = {
  apps: Model<AppDoc>
  channels: Model<ChannelDoc>
  accountJoins: Model<AccountJoinDoc>
  devices: Model<DeviceDoc>
  users: Model<UserDoc>
  labels: Model<LabelDoc>
  labelMembers: Model<LabelMemberDoc>
  tasks: Model<TaskDoc>
  ranges: Model<RangeDoc>
  chunks: Model<ChunkDoc>
  counters: Model<CounterDoc>
  leases: Model<LeaseDoc>
  revoked: Model<RevokedDoc>
  schema: Model<SchemaDoc>
}

const OPTIONS = { versionKey: false, minimize: false, autoIndex: false, autoCreate: false } as const
const text = { type: String, required: true } as const
const count = { type: Number, required: true } as const
const instant = { type: Date, required: true } as const
const { Mixed } = Schema.Types
const WEEK_SECONDS = 7 * 24 * 3600

const apps = new Schema(
  {
    ...{ _id: Number, org: text, name: text, clientId: text, clientSecretHash: text, settings: text },
    ...{ disabled: Boolean, tokensFrom: Number, createdAt: instant },
  },
  OPTIONS,
).index({ org: 1, name: 1 }, { unique: true })

const channels = new Schema(
  {
    ...{ _id: Number, appId: count, platform: text, name: text, limits: text, settings: text, pausedFor: String },
    ...{ credential: Mixed, createdAt: instant, updatedAt: instant, account: Mixed },
  },
  OPTIONS,
)
  .index({ appId: 1, name: 1 }, { unique: true })
  .index({ 'account.id': 1, platform: 1 }, { sparse: true })
const accountJoins = new Schema({ _id: String, joined: text }, OPTIONS)

const devices = new Schema(
  {
    ...{ _id: Number, appId: count, userId: text, deviceId: text, channelId: count, token: text },
    ...{ live: Boolean, updatedAt: Date },
  },
  OPTIONS,
)
  .index({ appId: 1, userId: 1, deviceId: 1, channelId: 1 }, { unique: true })
  .index({ channelId: 1, token: 1 }, { unique: true })
  .index({ channelId: 1, live: 1, _id: 1 })

const users = new Schema({ _id: String }, OPTIONS)
const labels = new Schema(
  {
    _id: Number,
    appId: count,
    name: text,
    description: String,
    createdAt: instant,
    size: Number,
    open: Mixed,
    rev: Number,
  },
  OPTIONS,
).index({ appId: 1, name: 1 }, { unique: true })
const labelMembers = new Schema({ _id: String, labelId: count, userId: text, createdAt: instant }, OPTIONS).index({
  labelId: 1,
  userId: 1,
})

const tasks = new Schema(
  {
    ...{ _id: Number, appId: count, lane: text, audience: text, message: text, route: [String], onUnknown: text },
    ...{ state: text, createdAt: instant, startsAt: Date, expiresAt: instant, startedAt: Date, finishedAt: Date },
    ...{ rate: Number, canary: Mixed, plan: Mixed, idem: Mixed, op: String },
    ...{ bulkApp: Number, runs: Number, dueAt: Date, openUntil: Date, purgeAt: Date },
  },
  OPTIONS,
)
  .index({ appId: 1, 'idem.key': 1 }, { unique: true, partialFilterExpression: { 'idem.key': { $gt: '' } } })
  .index({ bulkApp: 1, createdAt: 1, _id: 1 }, { partialFilterExpression: { bulkApp: { $gt: 0 } } })
  .index({ runs: 1 }, { sparse: true })
  .index({ dueAt: 1 }, { sparse: true })
  .index({ openUntil: 1 }, { sparse: true })
  .index({ purgeAt: 1 }, { expireAfterSeconds: 0, sparse: true })

const ranges = new Schema(
  {
    ...{ _id: String, taskId: count, place: count, cursor: String, planned: count, done: Boolean },
    ...{ attempt: count, end: Number, by: Mixed, at: instant },
  },
  OPTIONS,
)
  .index({ taskId: 1 })
  .index({ at: 1 }, { expireAfterSeconds: WEEK_SECONDS })

const chunks = new Schema(
  {
    ...{ _id: String, taskId: count, seq: count, appId: count, channelId: Number, lane: text, size: count },
    ...{ ids: Buffer, users: String, outcomes: Buffer, counts: Mixed, reasons: Mixed, state: text },
    ...{ gen: count, fence: count, starts: count, started: count, tries: count, leaseUntil: Date, nextAt: Date },
    ...{ at: instant, rev: count, op: String, range: Number, attempt: Number },
    ...{ openTask: Number, waits: Number, parks: Number, busy: Number, wakeKind: String, wakeAt: Date },
  },
  OPTIONS,
)
  .index({ taskId: 1, seq: 1 })
  .index({ openTask: 1 }, { sparse: true })
  .index({ waits: 1, taskId: 1, seq: 1 }, { partialFilterExpression: { waits: { $gt: 0 } } })
  .index({ parks: 1, taskId: 1, seq: 1 }, { partialFilterExpression: { parks: { $gt: 0 } } })
  .index({ appId: 1, openTask: 1 }, { partialFilterExpression: { lane: 'single', openTask: { $gt: 0 } } })
  .index({ busy: 1 }, { sparse: true })
  .index({ wakeKind: 1, wakeAt: 1 }, { sparse: true })
  .index({ at: 1 }, { expireAfterSeconds: WEEK_SECONDS })

const counters = new Schema({ _id: String, next: count }, OPTIONS)
const leases = new Schema({ _id: String, holder: String, until: Date }, OPTIONS)
const revoked = new Schema({ _id: String, at: Date, expiresAt: instant, appId: Number }, OPTIONS)
  .index({ appId: 1 })
  .index({ at: 1 })
  .index({ expiresAt: 1 }, { expireAfterSeconds: 0 })
const schema = new Schema({ _id: String, version: count }, OPTIONS)

const SCHEMAS = {
  apps,
  channels,
  accountJoins,
  devices,
  users,
  labels,
  labelMembers,
  tasks,
  ranges,
  chunks,
  counters,
  leases,
  revoked,
  schema,
}

/** One model per collection; the document types above are what is read and written. */
export function modelsOf(connection: Connection): Models {
  const entries = Object.entries(SCHEMAS).map(([name, schema]) => [name, connection.model(name, schema, name)])
  return Object.fromEntries(entries) as Models
}
