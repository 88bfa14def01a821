import type { Message } from './message.ts'

export type Audience =
  | { kind: 'users'; userIds: readonly string[] }
  | { kind: 'labels'; allOf: readonly string[] }
  | { kind: 'everyone' }

/** The ordered ways to reach a user (docs/design.md §2, strategies 0–4). */
export type Way = 'online' | 'vendor' | 'inbox'

export type Route = readonly Way[]

export type TaskState = 'scheduled' | 'planning' | 'sending' | 'paused' | 'done' | 'cancelled' | 'failed'

/** `sync` is never queued; `single` goes before `bulk`. */
export type Lane = 'sync' | 'single' | 'bulk'

export type OnUnknown = 'resend' | 'drop'

/** One accepted request: an audience, a message, a route. */
export type Task = {
  id: string
  appId: string
  lane: Lane
  audience: Audience
  message: Message
  route: Route
  onUnknown: OnUnknown
  state: TaskState
  createdAt: Date
  startsAt?: Date
  expiresAt: Date
  startedAt?: Date
  finishedAt?: Date
  /** Members per second for the whole task, on top of the channel's limit; absent = none. */
  rate?: number
  canary?: Canary
  /** How far the planner has come; absent for tasks that were planned when accepted. */
  plan?: Plan
}

/** The first `percent` of the plan goes out alone; the rest waits until at most `maxFailPercent` of it failed. */
export type Canary = { percent: number; maxFailPercent: number; state: 'running' | 'passed' | 'held' }

/** The planner's progress: one range per channel (or part of one), each with the place where it goes on. */
export type Plan = {
  /** Devices with an id above this were bound after the task started and are not part of it. */
  upToDeviceId: string
  ranges: readonly PlanRange[]
  /** Members expected, an estimate made when planning starts. */
  expected?: number
  complete: boolean
}

/**
 * `seqBase`: the first chunk number of the range, so that ranges can be planned in parallel without meeting.
 * `planned`: members in the chunks written so far. A list of users has one range with no channel (`channelId` '').
 */
export type PlanRange = {
  channelId: string
  seqBase: number
  cursor: string
  planned: number
  done: boolean
  /** Last device id of the range; absent = the plan's `upToDeviceId`. */
  upTo?: string
  /** The first so many members of the range are the canary. */
  canary?: number
}
