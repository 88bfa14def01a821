import type { Canary, Chunk, ChunkRef, Lane, Outcome, Plan, PlatformName, Task, TaskState } from './types.ts'

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
  Partial<Pick<Chunk, 'channelId' | 'outcomes' | 'reasons' | 'state' | 'fence' | 'starts' | 'started'>> & {
    /** Of a chunk that is written as claimed: how long from the write on, by the store's clock. */
    leaseMs?: number
  }
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
  /** Only where the task has no plan yet. */
  ifNoPlan?: boolean
  rate?: number | null
  canary?: Canary
  startedAt?: Date
  finishedAt?: Date
}

export interface TaskStore {
  /**
   * The commit point. Each task appears with its chunks and its idempotency key, or not at all; one bad item does not
   * harm the others. A task row without its chunks is never seen (SQL: one transaction; Mongo: chunks first). Chunks are
   * `planned` unless they say otherwise, without a channel `done`. A task that is there already (a retry whose answer was
   * lost) is left as it is and counts as created. A key is free again 24 h after the `createdAt` of its task. Rejects
   * with a StoreDownError that says whether it is certain that nothing was written.
   */
  create(tasks: readonly NewTask[]): Promise<CreateResult[]>
  /** What this key of an app was used for, if it was. */
  byKey(appId: string, key: string): Promise<Exclude<CreateResult, 'created'>['taken'] | undefined>
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
   * Adds planned chunks (`waiting` unless they say otherwise) and moves one range's cursor in one step: applied only if
   * the range still stands at `from` and the task has not ended (else false and nothing is written). The plan is
   * complete when its last range is done. Mongo: chunk ids are derived, so a repeated page meets its own rows.
   */
  addPlanned(
    id: string,
    rangeIndex: number,
    from: string,
    page: { chunks: readonly NewChunk[]; cursor: string; done: boolean },
  ): Promise<boolean>
  /**
   * Bulk tasks with work for the sweeper: due `scheduled`, `planning`, `sending` without open chunks, expired, and
   * those whose canary is `running`.
   */
  toSweep(limit: number): Promise<Task[]>
}

export type WaitingLane = Exclude<Lane, 'sync'>
/** What waits of a channel, by lane, and how many of its bulk chunks are planned, queued or sending. */
export type BacklogRow = {
  channelId: string
  appId: string
  platform: PlatformName
  open: number
} & Record<WaitingLane, boolean>

export type Claimed = { chunk: Chunk; task: Task }
/** One write of a claimed chunk. Indices in `outcomes` are members; `started` marks a window before it is sent. */
export type ChunkWrite = {
  taskId: string
  seq: number
  fence: number
  outcomes?: readonly (readonly [index: number, outcome: Outcome, reason?: string])[]
  started?: number
  leaseMs?: number
  /**
   * `done`: all members final. `queued` with `nextAt`: a deferred remainder waits; `countTry` raises `tries`.
   * Both end the start cleanly: `starts` goes back to 0, so that it counts only those without an end (poison).
   */
  state?: 'done' | 'queued'
  nextAt?: Date
  countTry?: boolean
}
export type RescueReason = 'planned' | 'lease' | 'deferred'
/** `state` as it stands: a chunk in `sending` whose lease passed has lost its worker, whatever its job says. */
export type Rescue = ChunkRef & {
  platform: PlatformName
  channelId: string
  lane: Chunk['lane']
  state: Chunk['state']
  reason: RescueReason
}

export interface ChunkStore {
  /**
   * Takes each for this caller: state planned|queued (its `nextAt` passed) or sending with its lease passed, and
   * `gen` not below the asked one. Sets sending, fence + 1, starts + 1, lease, started = `started(chunk)` members
   * capped at the chunk's size. Members below the old `started` without outcome become `unknown` first (resend: they
   * are sent again, drop: they stay). undefined = done, superseded, leased, or its task is paused, cancelled, unknown.
   * Exactly one of many racing claimers gets it.
   */
  claim(refs: readonly ChunkRef[], leaseMs: number, firstWindow: number): Promise<(Claimed | undefined)[]>
  /**
   * Conditional on the fence; false = the caller must stop. Nothing of a zombie's write is kept. Where the task has ended
   * (cancelled), outcomes are kept, members not handed over become cancelled, and a write that asks for another window
   * (`started`) answers false. A final outcome never changes; a reason goes with the outcome it came with. Members that
   * a `done` leaves open become `unknown`.
   */
  write(writes: readonly ChunkWrite[]): Promise<boolean[]>
  byRefs(refs: readonly { taskId: string; seq: number }[]): Promise<(Chunk | undefined)[]>
  /** Chunks of a task in order of seq. */
  ofTask(taskId: string, query: { afterSeq?: number; limit: number }): Promise<Chunk[]>
  /**
   * What Redis may have lost: planned for more than `graceMs`; queued or sending with its lease passed; deferred with
   * `nextAt` passed by `graceMs`. Nothing is changed. Synchronous chunks are not among them, nor are chunks of tasks
   * that are paused (they would be enqueued in vain until the task is resumed), finished or unknown.
   */
  lost(graceMs: number, limit: number): Promise<Rescue[]>
  /** gen + 1, state queued, lease as given; answers the new refs of those that were still lost. */
  requeue(refs: readonly ChunkRef[], leaseMs: number): Promise<ChunkRef[]>
  /** Pushes back the lease of chunks whose job still stands in Redis, so that `lost` is quiet about them. */
  stillQueued(refs: readonly ChunkRef[], leaseMs: number): Promise<void>
  /**
   * Up to `limit` waiting chunks of a channel and lane to `planned`, oldest task first, skipping paused tasks and those
   * whose canary is `running` or `held` (the canary's own chunks are written as `planned`, never as `waiting`).
   */
  promote(channelId: string, limit: number, lane?: WaitingLane): Promise<ChunkRef[]>
  /**
   * The channel is paused: planned and queued chunks become `waiting`, gen + 1. True where the job of the ref has nothing
   * more to do (also where the chunk is final, superseded or being sent); false where the chunk stays as it is, because
   * nobody would promote it: of a canary that runs or was held.
   */
  park(refs: readonly ChunkRef[]): Promise<boolean[]>
  /** Up to `limit` channels with waiting chunks that `promote` would take, in order of their ids from behind `after` on. */
  backlog(limit: number, after?: string): Promise<BacklogRow[]>
  /** How many chunks of single pushes an app has that are not final, counted up to `most`; about right is enough. */
  openSingles(appId: string, most: number): Promise<number>
  /**
   * Members not final of chunks whose task expired → expired; chunks done. Not those being sent under a lease that
   * holds. Also what is left open of ended tasks → cancelled, and of removed channels → rejected. Answers how many chunks.
   */
  expire(limit: number): Promise<number>
  /** Synchronous chunks whose lease passed: unsent and started members → unknown, never sent again. */
  abandonSync(limit: number): Promise<number>
  /** Chunks with more than `maxStarts` starts and a passed lease → dead, open members → unknown `poison`. */
  bury(maxStarts: number, limit: number): Promise<number>
  /** Open members of a task → cancelled, except of chunks being sent: those see it at their next write. Answers how many chunks. */
  cancel(taskId: string): Promise<number>
  /**
   * Chunks without a task row older than a minute (Mongo: a crash before the commit point), and waiting single pushes
   * whose task was cancelled by a process that died before it cancelled them. Answers how many.
   */
  removeOrphans(limit: number): Promise<number>
}
