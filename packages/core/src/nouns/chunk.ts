import type { Lane } from './task.ts'

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
