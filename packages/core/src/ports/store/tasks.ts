import type { Chunk, Outcome } from '../../nouns/chunk.ts'
import type { Canary, Plan, Task, TaskState } from '../../nouns/task.ts'

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
export type CreateResult = 'created' | { taken: Taken }
export type Taken = { fingerprint: string; taskId: string; answer?: StoredAnswer }

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
  /** Of a task that has a plan already: whether it is complete; then nothing more is planned, what is planned stays. */
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
  byKey(appId: string, key: string): Promise<Taken | undefined>
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
