import type {
  App,
  AppSettings,
  Canary,
  Channel,
  Chunk,
  ChunkRef,
  Device,
  Label,
  LabelMember,
  Outcome,
  Plan,
  PlatformName,
  Task,
  TaskState,
} from './types.ts'

/**
 * The store: the record of everything (design.md §3). One method per noun and verb, lists in and lists out, no vendor
 * names. Every list may be empty; an answer list stands in the order of the question. All instants are compared with
 * the store's own clock. A store that cannot answer rejects with StoreDownError; a caller may then try again.
 */
export interface Store {
  apps: AppStore
  channels: ChannelStore
  devices: DeviceStore
  labels: LabelStore
  tasks: TaskStore
  chunks: ChunkStore
  tokens: TokenStore
  /** Reserves `count` ids for this process and answers the first: one atomic add (design.md §11). */
  takeIds(count: number): Promise<number>
  /** Takes or renews the named lease for `holder`; true where it is held now. A lease of 0 ms gives it back. */
  lease(name: string, holder: string, leaseMs: number): Promise<boolean>
  /** The store's clock. */
  now(): Promise<Date>
  /** Deletes what has outlived its TTL (tasks and chunks 7 days, idempotency keys 24 h); at most `limit` of each. */
  purge(limit: number): Promise<number>
  close(): Promise<void>
}

export type NewApp = Omit<App, 'createdAt'>
export interface AppStore {
  /** Answers false where org/name is taken. */
  insert(app: NewApp): Promise<boolean>
  byName(org: string, name: string): Promise<App | undefined>
  byIds(ids: readonly string[]): Promise<(App | undefined)[]>
  update(id: string, change: { settings?: AppSettings; clientSecretHash?: string }): Promise<void>
}

export type NewChannel = Omit<Channel, 'createdAt' | 'updatedAt'>
export interface ChannelStore {
  /** Seals `credential` (AES-256-GCM, AAD = app and channel) and writes both; false where (app, name) is taken. */
  insert(channel: NewChannel, credential: string): Promise<boolean>
  ofApp(appId: string): Promise<Channel[]>
  byIds(ids: readonly string[]): Promise<(Channel | undefined)[]>
  /** `pausedFor: null` resumes. Answers the channel as it stands now. */
  update(
    id: string,
    change: {
      limits?: Channel['limits']
      settings?: Channel['settings']
      pausedFor?: string | null
      credential?: string
    },
  ): Promise<Channel | undefined>
  /** Removes the channel and its devices. */
  remove(id: string): Promise<boolean>
  /** The opened credential; rejects with SealError where the row was tampered with or the key is another. */
  credential(id: string): Promise<string | undefined>
}

export type Binding = Pick<Device, 'appId' | 'userId' | 'deviceId' | 'channelId' | 'token'> & { id: string }
export type InvalidToken = { id: string; token: string; since?: Date }
export type DevicePage = { devices: { id: string; userId: string }[]; next?: string }
export interface DeviceStore {
  /**
   * Binds each; one row per (app, user, deviceId, channel), one user per (channel, token): the last binding wins.
   * `id` is used only where the row is new. Of one list's repetitions the last wins.
   */
  bind(bindings: readonly Binding[]): Promise<void>
  /** Unbinds a user's device from one channel, or from all. */
  unbind(appId: string, userId: string, deviceId: string, channelId?: string): Promise<void>
  /** Live devices of each user, in the order asked. A user with none has an empty list. */
  ofUsers(asked: readonly { appId: string; userId: string }[]): Promise<Device[][]>
  /** Which of the users exist: a user exists from the first binding or label membership (also after unbinding). */
  usersExist(asked: readonly { appId: string; userId: string }[]): Promise<boolean[]>
  byIds(ids: readonly string[]): Promise<(Device | undefined)[]>
  /** Marks devices dead, each only if it still has this token and was not bound again after `since`. Answers how many. */
  markInvalid(tokens: readonly InvalidToken[]): Promise<number>
  /**
   * Live devices of one channel with `id <= upToId`, ascending by id after `after` (keyset, one index range scan).
   * `next` is the cursor of the last device of the page; absent when the range is exhausted.
   */
  page(range: { channelId: string; after: string; upToId: string; limit: number }): Promise<DevicePage>
  /** The same for members of all labels (intersection), ascending by user and device; `after` '' = from the start. */
  labelPage(range: {
    appId: string
    channelId: string
    labels: readonly string[]
    after: string
    upToId: string
    limit: number
  }): Promise<DevicePage>
  /** Splits a channel's devices up to `upToId` into at most `parts` id ranges of about equal size: their lower bounds. */
  splitPoints(channelId: string, upToId: string, parts: number): Promise<string[]>
  count(channelId: string): Promise<number>
  /** Highest device id in use ('0' where there is none): the upper bound of a plan. */
  maxId(): Promise<string>
}

export interface LabelStore {
  /** 'exists' where the name is taken in the app, 'full' where the app has `maxLabels`. */
  insert(label: Omit<Label, 'count' | 'createdAt'>, maxLabels: number): Promise<Label | 'exists' | 'full'>
  byNames(appId: string, names: readonly string[]): Promise<(Label | undefined)[]>
  /** Newest first. */
  page(appId: string, limit: number, cursor?: string): Promise<{ labels: Label[]; cursor?: string }>
  remove(appId: string, name: string): Promise<boolean>
  addUsers(labelId: string, userIds: readonly string[]): Promise<void>
  /** Answers for each user whether it was a member. */
  removeUsers(labelId: string, userIds: readonly string[]): Promise<boolean[]>
  member(labelId: string, userId: string): Promise<LabelMember | undefined>
  members(labelId: string, limit: number, cursor?: string): Promise<{ members: LabelMember[]; cursor?: string }>
}

/** A caller's Idempotency-Key: `fingerprint` is an HMAC of method, path and raw body. */
export type Idempotency = { key: string; fingerprint: string }
/** What was answered, to be replayed. */
export type StoredAnswer = { status: number; body: string }
/** `answer` is stored with the task where it is known when the task is accepted (all asynchronous sends). */
export type NewTask = {
  task: Omit<Task, 'startedAt' | 'finishedAt'>
  chunks: readonly NewChunk[]
  idempotency?: Idempotency & { answer?: StoredAnswer }
}
export type NewChunk = Pick<Chunk, 'seq' | 'members'> &
  Partial<Pick<Chunk, 'channelId' | 'outcomes' | 'reasons' | 'state' | 'fence' | 'starts' | 'started' | 'leaseUntil'>>
/** `taken`: the app used this key already; `answer` is absent while the first request is still running. */
export type CreateResult = 'created' | { taken: { fingerprint: string; taskId: string; answer?: StoredAnswer } }

export type TaskCounts = {
  channelId?: string
  total: number
  byOutcome: Partial<Record<Outcome, number>>
  byReason: Record<string, number>
}
export type TaskChange = {
  state?: TaskState
  /** Only where the task is in one of these states now. */
  ifState?: readonly TaskState[]
  plan?: Plan
  rate?: number | null
  canary?: Canary
  startedAt?: Date
  finishedAt?: Date
}

export interface TaskStore {
  /**
   * The commit point. Each task appears with its chunks and its idempotency key, or not at all; one bad item does not
   * harm the others. A task row without its chunks is never seen (SQL: one transaction; Mongo: chunks first).
   */
  create(tasks: readonly NewTask[]): Promise<CreateResult[]>
  /** Keeps the answer of a synchronous push for replays. */
  answer(appId: string, key: string, answer: StoredAnswer): Promise<void>
  byIds(ids: readonly string[]): Promise<(Task | undefined)[]>
  /** Tasks of one app, newest first; only those with lane `bulk` unless `lanes` says otherwise. */
  page(appId: string, query: { page: number; size: number }): Promise<{ tasks: Task[]; total: number }>
  /** True where the change was made. */
  update(id: string, change: TaskChange): Promise<boolean>
  /** Sets `done` on those in state `sending` that are planned whole and whose chunks are all final; answers these. */
  finish(ids: readonly string[]): Promise<string[]>
  /** Sums over the chunk rows, one element per channel. Derived, so they cannot drift. */
  counts(id: string): Promise<TaskCounts[]>
  /** Bulk tasks of an app that are not final, and how many it created since `since`. */
  load(appId: string, since: Date): Promise<{ running: number; created: number }>
  /**
   * Adds planned chunks and moves one range's cursor in one step: applied only if the range still stands at
   * `from` (else false and nothing is written). Mongo: chunk ids are derived, so a repeated page meets its own rows.
   */
  addPlanned(
    id: string,
    rangeIndex: number,
    from: string,
    page: { chunks: readonly NewChunk[]; cursor: string; done: boolean },
  ): Promise<boolean>
  /** Bulk tasks with work for the sweeper: due `scheduled`, `planning`, `sending` without open chunks, expired. */
  toSweep(limit: number): Promise<Task[]>
}

export type Claimed = { chunk: Chunk; task: Task }
/** One write of a claimed chunk. Indices in `outcomes` are members; `started` marks a window before it is sent. */
export type ChunkWrite = {
  taskId: string
  seq: number
  fence: number
  outcomes?: readonly (readonly [index: number, outcome: Outcome, reason?: string])[]
  started?: number
  leaseMs?: number
  /** `done`: all members final. `queued` with `nextAt`: a deferred remainder waits; `countTry` raises `tries`. */
  state?: 'done' | 'queued'
  nextAt?: Date
  countTry?: boolean
}
export type RescueReason = 'planned' | 'lease' | 'deferred'
export type Rescue = ChunkRef & { platform: PlatformName; lane: Chunk['lane']; reason: RescueReason }

export interface ChunkStore {
  /**
   * Takes each for this caller: state planned|queued (its `nextAt` passed) or sending with its lease passed, and
   * `gen` not below the asked one. Sets sending, fence + 1, starts + 1, lease, started = `started(chunk)` members
   * capped at the chunk's size. Members below the old `started` without outcome become `unknown` first (resend: they
   * are sent again, drop: they stay). undefined = done, superseded, leased, or its task is paused, cancelled, unknown.
   * Exactly one of many racing claimers gets it.
   */
  claim(refs: readonly ChunkRef[], leaseMs: number, firstWindow: number): Promise<(Claimed | undefined)[]>
  /** Conditional on the fence; false = the caller is a zombie and must stop. Nothing of such a write is kept. */
  write(writes: readonly ChunkWrite[]): Promise<boolean[]>
  byRefs(refs: readonly { taskId: string; seq: number }[]): Promise<(Chunk | undefined)[]>
  /** Chunks of a task in order of seq. */
  ofTask(taskId: string, query: { afterSeq?: number; limit: number }): Promise<Chunk[]>
  /**
   * What Redis may have lost: planned for more than `graceMs`; queued or sending with its lease passed; deferred with
   * `nextAt` passed by `graceMs`. Nothing is changed. Synchronous chunks are not among them.
   */
  lost(graceMs: number, limit: number): Promise<Rescue[]>
  /** gen + 1, state queued, lease as given; answers the new refs of those that were still lost. */
  requeue(refs: readonly ChunkRef[], leaseMs: number): Promise<ChunkRef[]>
  /** Pushes back the lease of chunks whose job still stands in Redis, so that `lost` is quiet about them. */
  stillQueued(refs: readonly ChunkRef[], leaseMs: number): Promise<void>
  /** Up to `limit` waiting chunks of a channel to `planned`, oldest task first, skipping paused and held tasks. */
  promote(channelId: string, limit: number): Promise<ChunkRef[]>
  /** Channels with waiting chunks, and how many of their bulk chunks are planned, queued or sending. */
  backlog(limit: number): Promise<{ channelId: string; appId: string; platform: PlatformName; open: number }[]>
  /** Members not final of chunks whose task expired → expired; chunks done. Answers how many chunks. */
  expire(limit: number): Promise<number>
  /** Synchronous chunks whose lease passed: unsent and started members → unknown, never sent again. */
  abandonSync(limit: number): Promise<number>
  /** Chunks with more than `maxStarts` starts and a passed lease → dead, open members → unknown `poison`. */
  bury(maxStarts: number, limit: number): Promise<number>
  /** Open members of a task → cancelled, except of chunks being sent: those see it at their next write. */
  cancel(taskId: string): Promise<number>
  /** Chunks without a task row older than a minute (Mongo: a crash before the commit point). Answers how many. */
  removeOrphans(limit: number): Promise<number>
}

/** Revoked bearer tokens by their id (jti); kept until they would have expired. */
export interface TokenStore {
  revoke(jti: string, expiresAt: Date): Promise<void>
  /** Those revoked since; called by every process each few seconds. */
  revokedSince(since: Date): Promise<{ jti: string; at: Date }[]>
}
