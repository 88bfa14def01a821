import type { PlatformName } from '../../nouns/channel.ts'
import type { Chunk, ChunkRef, Outcome } from '../../nouns/chunk.ts'
import type { Lane, Task } from '../../nouns/task.ts'

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

/** What each call makes of a chunk is what the table in ledger/states.ts says of its event. */
export interface ChunkStore {
  /**
   * Takes each for this caller: state planned|queued (its `nextAt` passed) or sending with its lease passed, and
   * `gen` not below the asked one. Sets sending, fence + 1, starts + 1, lease, `started` behind the first `firstWindow`
   * members that are still to be sent. Of a drop task, members below the old `started` without outcome become `unknown`
   * first; a chunk with no open member is done. undefined = done, superseded, leased, or its task is paused, cancelled,
   * unknown. Exactly one of many racing claimers gets it.
   */
  claim(refs: readonly ChunkRef[], leaseMs: number, firstWindow: number): Promise<(Claimed | undefined)[]>
  /**
   * Conditional on the fence; false = the caller must stop. Nothing of a zombie's write is kept, nor of one that comes
   * after the chunk was given back (`queued`). Where the task has ended
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
