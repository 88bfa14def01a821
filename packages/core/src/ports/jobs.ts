import type { PlatformName } from '../nouns/channel.ts'
import type { ChunkRef } from '../nouns/chunk.ts'
import type { Lane } from '../nouns/task.ts'

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
