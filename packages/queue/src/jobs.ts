import { type ChunkRef, type Enqueue, type Lane, PLATFORMS, type PlatformName } from '@fanfare/core'
import type { JobsOptions, QueueOptions } from 'bullmq'

/**
 * The catalogue of jobs. One queue per platform, named after it; its keys share one hash tag, so that they stay in one
 * slot of a Redis Cluster. A job carries ids only (docs/design.md §7).
 */

/** Version of `DeliverData`; a worker that meets another one leaves the job to a newer or older worker. */
export const JOB_VERSION = 1
export type DeliverData = { v: number; task: string; seq: number; gen: number; channel: string }
/** What a worker is handed: the chunk, and its channel so that the limiter can be asked before the claim. */
export type DeliverJob = ChunkRef & { channelId: string; lane: Exclude<Lane, 'sync'> }

export const QUEUE_PLATFORMS: readonly PlatformName[] = PLATFORMS.filter((platform) => platform !== 'online')
export const PLAN_QUEUE = 'plan'
export const prefixOf = (name: string): string => `{fanfare:${name}}`
/** BullMQ refuses `:` and plain numbers. */
export const jobIdOf = (ref: ChunkRef): string => `${ref.taskId}-${ref.seq}-${ref.gen}`
export const jobKeyOf = (platform: PlatformName, ref: ChunkRef): string =>
  `${prefixOf(platform)}:${platform}:${jobIdOf(ref)}`

/** Jobs without a priority go first, then from 1 up: single pushes, chunks of tasks, and single pushes of a crowd (crowd.ts). */
const BULK_PRIORITY = 10
const BASE: JobsOptions = { keepLogs: 0, sizeLimit: 4096 }

export function deliverJob(item: Enqueue, place = 0): { name: string; data: DeliverData; opts: JobsOptions } {
  const { taskId: task, seq, gen, channelId: channel } = item
  const opts: JobsOptions = { ...BASE, jobId: jobIdOf(item) }
  if (item.lane === 'bulk') opts.priority = BULK_PRIORITY
  else if (place > 0) opts.priority = BULK_PRIORITY + place
  if (item.delayMs) opts.delay = item.delayMs
  return { name: 'deliver', data: { v: JOB_VERSION, task, seq, gen, channel }, opts }
}

/** The least score of a crowd's job among those with a priority; BullMQ's scores are priority × 2³² + a counter. */
export const CROWD_SCORE = (BULK_PRIORITY + 1) * 2 ** 32

/** undefined where another version wrote it. */
export function toDeliverJob(data: DeliverData, priority: number): DeliverJob | undefined {
  if (data.v !== JOB_VERSION) return undefined
  const lane = priority === BULK_PRIORITY ? 'bulk' : 'single'
  return { taskId: data.task, seq: data.seq, gen: data.gen, channelId: data.channel, lane }
}

export function queueOptions(name: string, connection: QueueOptions['connection']): QueueOptions {
  return {
    connection,
    prefix: prefixOf(name),
    skipVersionCheck: true,
    streams: { events: { maxLen: 1000 } },
    defaultJobOptions: BASE,
  }
}

/** How finished jobs are kept: long enough for the derived id to act as a cheap filter, few enough to stay flat. */
export const REMOVE_ON_COMPLETE = { age: 600, count: 1000 }
export const REMOVE_ON_FAIL = { age: 86_400, count: 10_000 }
