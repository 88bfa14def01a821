import type { Chunk } from '../nouns/chunk.ts'
import type { Canary, Task, TaskState } from '../nouns/task.ts'
import type { ChunkWrite } from '../ports/store/chunks.ts'
import type { Codes } from './outcomes.ts'

/** Members by reason. A reason is what a vendor said, so that no name may have a meaning of its own. */
export type Reasons = ReadonlyMap<string, readonly number[]>

/** What of a chunk the machine reads and changes. Instants are milliseconds of the store's clock, null = none. */
export type LedgerRow = Pick<Chunk, 'lane' | 'state' | 'gen' | 'fence' | 'starts' | 'started' | 'tries'> & {
  leaseUntil: number | null
  nextAt: number | null
  /** When the sweeper is to look at it: `dueAtOf`, unless it was put off because its job still stands. */
  dueAt: number | null
  outcomes: Codes
  reasons: Reasons
}

/** A task, or what of it the event asks for. */
export type TaskFacts = Pick<Task, 'state'> &
  Partial<Pick<Task, 'expiresAt' | 'onUnknown'>> & { canary?: Canary | undefined }

/** What an event comes with; a guard whose fact is not given refuses. */
export type Given = {
  /** Milliseconds of the store's clock. */
  now: number
  task?: TaskFacts
  isChannelGone?: boolean
  /** The generation that the job or the ref names. */
  gen?: number
  leaseMs?: number
  /** Members that a claim may hand over before it marks more. */
  firstWindow?: number
  maxStarts?: number
  write?: Omit<ChunkWrite, 'taskId' | 'seq'>
}

export type Guard = (row: LedgerRow, given: Given) => boolean

const hasPassed = (at: number | null, now: number): boolean => at !== null && at < now

/** Its time to be sent has come: it is not deferred, or no longer. */
export const mayStart: Guard = ({ nextAt }, { now }) => nextAt === null || nextAt <= now
export const leasePassed: Guard = ({ leaseUntil }, { now }) => hasPassed(leaseUntil, now)
export const isDue: Guard = ({ dueAt }, { now }) => hasPassed(dueAt, now)
/** Whoever claimed it never said how it ended: queued again by the sweeper, it is still this writer's until it is claimed. */
export const hasBegun: Guard = ({ starts }) => starts > 0
export const hasManyStarts: Guard = ({ starts }, { maxStarts = Number.POSITIVE_INFINITY }) => starts > maxStarts
export const isSync: Guard = ({ lane }) => lane === 'sync'
/** A synchronous push is its API process's alone. */
export const isQueuedLane: Guard = ({ lane }) => lane !== 'sync'

/** A job of an older generation passes (docs/decisions/0004). */
export const hasGen: Guard = (row, { gen }) => gen !== undefined && row.gen >= gen
export const isSameGen: Guard = (row, { gen }) => row.gen === gen
export const hasFence: Guard = ({ fence }, { write }) => fence === write?.fence

const SENDING: readonly (TaskState | undefined)[] = ['planning', 'sending']
const OVER: readonly (TaskState | undefined)[] = ['done', 'cancelled', 'failed']
export const taskSends: Guard = (_, { task }) => SENDING.includes(task?.state)
export const taskIsOver: Guard = (_, { task }) => OVER.includes(task?.state)
export const taskIsOpen: Guard = (row, given) => given.task !== undefined && !taskIsOver(row, given)
export const taskExpired: Guard = (_, { task, now }) => task?.expiresAt !== undefined && task.expiresAt.getTime() <= now
export const taskIsInTime: Guard = (_, { task, now }) => task?.expiresAt !== undefined && task.expiresAt.getTime() > now
/** Of a canary that runs or was held nobody promotes a chunk, so none may wait. */
export const canaryPassed: Guard = (_, { task }) => task !== undefined && (task.canary?.state ?? 'passed') === 'passed'
export const channelIsGone: Guard = (_, { isChannelGone = false }) => isChannelGone
