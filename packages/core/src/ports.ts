import type { Channel, ChunkRef, Lane, PlatformName, Pusher } from './types.ts'

/**
 * A chunk to be put into its platform's queue. `channelId` lets a worker ask the limiter before it claims. `appId`, where
 * it is known, keeps many single pushes of one app behind the few of others.
 */
export type Enqueue = ChunkRef & {
  platform: PlatformName
  channelId: string
  appId?: string
  /** How many members it has; 1 where it is not said. */
  members?: number
  lane: Lane
  delayMs?: number
}

/** The work index over Redis (packages/queue). Everything in it can be rebuilt from the store. */
export interface Jobs {
  /** Adds each once (its job id is derived). Rejects within 2 s when Redis does not answer: then nothing is known. */
  enqueue(items: readonly Enqueue[]): Promise<void>
  /** Whether the job of each still stands in Redis unfinished. */
  present(items: readonly (ChunkRef & { platform: PlatformName })[]): Promise<boolean[]>
  close(): Promise<void>
}

/** Leave to send `units` on a channel. Exactly one of `answered` and `unused` is called, once. */
export interface Permit {
  readonly units: number
  /** Gives back all but `units` at once; before the permit is used. */
  keep?(units: number): void
  /** The answer came (or the time-out): the units are free again one window from now. */
  answered(): void
  /** Nothing was sent: the units are free at once. */
  unused(units?: number): void
}

/** `begun`: more for a chunk that is being sent; it is served before chunks that have not begun. */
export type PermitAsk = { units: number; least: number; lane: Lane; begun?: boolean }

/** The fleet-wide limiter of vendor accounts (packages/platforms, in Redis). */
export interface Limiter {
  /**
   * Takes up to `units` (at least `least`) or says when to ask again. Single and synchronous pushes are served before
   * chunks: while one of them waits, no `bulk` asker gets a permit on that account. Never waits itself.
   */
  take(channel: Channel, ask: PermitAsk): Promise<Permit | { afterMs: number }>
  /** The vendor asked to slow down: nothing goes to this account for `afterMs`, then the rate is halved and recovers. */
  slowDown(channel: Channel, afterMs: number): Promise<void>
  /**
   * Account `to` goes on with what `from` has used and with its back-off. `moves`: nobody is to send on `from` any more;
   * whoever has not heard of it yet is denied. Rejects where Redis does not answer.
   */
  carry(from: string, to: string, moves: boolean): Promise<void>
  close(): Promise<void>
}

/** The `rate` of single tasks over the whole fleet (packages/queue, in Redis). */
export interface TaskRate {
  /** 0 where `members` of the task may be sent now (they are taken), else the milliseconds until some may. */
  take(taskId: string, ratePerSecond: number, members: number): Promise<number>
}

/** Open pushers, one per channel and process; closed when idle or when the channel changes. */
export interface Pushers {
  for(channel: Channel): Promise<Pusher>
  /** Closes the channel's pusher (its credentials changed or it was removed). */
  drop(channelId: string): void
  close(): Promise<void>
}

/** A place of a synchronous push at a vendor. */
export interface SyncPlace {
  /** Leaves it to others while a permit is waited for, as long as there is room to wait. */
  rest(): void
  /** False where no place is free: then a permit is of no use yet. */
  resume(): boolean
  leave(): void
}

/** The places of synchronous pushes in a process, shared by apps and channels. */
export interface SyncPlaces {
  /** One per channel, or none: then it throws a PushError, and nothing was accepted. */
  enter(appId: string, channelIds: readonly string[]): SyncPlace[]
}

/** What every part writes its events to: one line, few-valued fields, no tokens, no contents (reliability.md T101). */
export interface Log {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
