import { type Audience, type Channel, type Outcome, sentenceOfPause, type Task, type TaskCounts } from '@fanfare/core'
import { z } from 'zod'
import type { TargetResult, TaskFigures } from '../operations/task-results.ts'
import { PROVIDER_OF } from './notifier.ts'
import { canary, rate } from './push.ts'
import { descOf, type PushStatus, statusOf, wireReason } from './status.ts'
import { strategyOf } from './strategy.ts'

export const taskPatch = z
  .strictObject({ rate: rate.nullish(), canary: canary.optional() })
  .refine((patch) => patch.rate !== undefined || patch.canary !== undefined, 'give rate or canary')
export const resultStatus = z.looseObject({ status: z.enum(['ASYNC_SUCCESS', 'FAIL', 'ERROR', 'PENDING']).optional() })

/** A task id as it stands in a body: a bare number; ids fit 2^53 − 1 (docs/design.md §11). */
export const bare = (taskId: string): number => Number(taskId)
export const taskIdView = (taskId: string) => ({ taskId: bare(taskId) })

type Counts = { ASYNC_SUCCESS: number; FAIL: number; ERROR: number; PENDING: number }

/** A task without its figures, as it stands in a page of tasks. */
export function taskView(task: Task) {
  return {
    taskId: bare(task.id),
    state: task.state,
    lane: task.lane,
    audience: audienceView(task.audience),
    strategy: strategyOf(task.route),
    onUnknown: task.onUnknown,
    title: task.message.title,
    created: task.createdAt.getTime(),
    ...instants(task),
    expires: task.expiresAt.getTime(),
    ...(task.rate !== undefined && { rate: task.rate }),
    ...(task.canary && { canary: task.canary }),
  }
}

function audienceView(audience: Audience) {
  if (audience.kind === 'users') return { kind: 'users', count: audience.userIds.length }
  return audience.kind === 'labels' ? { kind: 'labels', labels: audience.allOf } : { kind: 'everyone' }
}

function instants({ startsAt, startedAt, finishedAt }: Task) {
  return {
    ...(startsAt && { starts: startsAt.getTime() }),
    ...(startedAt && { started: startedAt.getTime() }),
    ...(finishedAt && { finished: finishedAt.getTime() }),
  }
}

/** A task with its sums over the ledger: whole, by reason and by platform, and its targets where there are few. */
export function taskDetail({ task, counts, channels, targets }: TaskFigures) {
  const sums = countsOf(counts)
  const planned = counts.reduce((sum, { total }) => sum + total, 0)
  const complete = task.lane !== 'bulk' || task.plan?.complete === true
  const total = complete ? planned : Math.max(planned, task.plan?.expected ?? 0)
  const estimate = estimateOf(task, { done: planned - sums.PENDING, total })
  return {
    ...taskView(task),
    planned,
    total,
    planComplete: complete,
    counts: sums,
    reasons: reasonsOf(counts),
    platforms: counts.filter(({ channelId }) => channelId).map((each) => platformView(each, channels)),
    ...(estimate !== undefined && { estimatedFinish: estimate }),
    ...(targets && { targets: targets.map(targetView) }),
  }
}

function platformView(counts: TaskCounts, channels: ReadonlyMap<string, Channel>) {
  const channel = channels.get(counts.channelId ?? '')
  return {
    provider: channel ? PROVIDER_OF[channel.platform] : 'REMOVED',
    platform: channel?.platform ?? null,
    notifier: channel?.name ?? null,
    ...(channel?.pause && { pausedFor: sentenceOfPause(channel.pause) }),
    total: counts.total,
    counts: countsOf([counts]),
    reasons: reasonsOf([counts]),
  }
}

function countsOf(list: readonly TaskCounts[]): Counts {
  const sums: Counts = { ASYNC_SUCCESS: 0, FAIL: 0, ERROR: 0, PENDING: 0 }
  for (const { byOutcome } of list) {
    for (const [outcome, count] of Object.entries(byOutcome) as [Outcome, number][]) {
      const status = statusOf(outcome)
      if (status && status !== 'SUCCESS') sums[status] += count
    }
  }
  return sums
}

function reasonsOf(list: readonly TaskCounts[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const { byReason } of list) {
    for (const [kept, count] of Object.entries(byReason)) {
      const reason = wireReason(kept)
      sums.set(reason, (sums.get(reason) ?? 0) + count)
    }
  }
  return Object.fromEntries(sums)
}

/** When the task will be done if it goes on as it went so far (ms); undefined where nothing can be said. */
function estimateOf(task: Task, progress: { done: number; total: number }): number | undefined {
  if (task.finishedAt || progress.done === 0 || !['planning', 'sending'].includes(task.state)) return undefined
  const begun = (task.startedAt ?? task.startsAt ?? task.createdAt).getTime()
  const now = Date.now()
  return Math.round(now + ((now - begun) * (progress.total - progress.done)) / progress.done)
}

/** One member of a task: the user, the device where there is one, and what became of it. Never its token. */
export type TargetView = {
  id: string
  device_id?: string
  platform?: string
  notifier?: string
  pushStatus: PushStatus
  desc?: string
}

export function targetView({ userId, deviceId, channel, outcome, reason }: TargetResult): TargetView {
  const desc = descOf(outcome, reason)
  return {
    id: userId,
    ...(deviceId !== undefined && { device_id: deviceId }),
    ...(channel && { platform: channel.platform, notifier: channel.name }),
    pushStatus: statusOf(outcome) ?? 'PENDING',
    ...(desc !== undefined && { desc }),
  }
}
