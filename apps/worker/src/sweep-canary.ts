import { type Chunk, isFinal, type Plan, type PlanRange, type Task } from '@fanfare/core'
import type { WorkerContext } from './context.ts'

const JUDGE_EVERY_MS = 1000
const CHUNKS = 500
const judgedAt = new WeakMap<WorkerContext, Map<string, number>>()

/** Lets the rest of a task go once its first part went out well, or holds it (design.md, canary). */
export async function judgeCanary(ctx: WorkerContext, task: Task, plan: Plan): Promise<void> {
  const { canary } = task
  if (!canary || !isDue(ctx, task.id) || !plan.ranges.every(isCanaryPlanned)) return
  const chunks = (await Promise.all(plan.ranges.map((range) => canaryChunks(ctx, task.id, range)))).flat()
  const outcomes = chunks.flatMap((chunk) => chunk.outcomes)
  if (!outcomes.every(isFinal)) return
  const failed = outcomes.filter((outcome) => outcome !== 'sent').length
  const failPercent = outcomes.length === 0 ? 0 : (failed / outcomes.length) * 100
  const state = failPercent <= canary.maxFailPercent ? 'passed' : 'held'
  await ctx.store.tasks.update(task.id, { canary: { ...canary, state } })
  const fields = { taskId: task.id, members: outcomes.length, failPercent }
  if (state === 'passed') ctx.log.info(fields, 'canary passed')
  else ctx.log.error({ alert: 'canary', ...fields }, 'canary held: too many of the first part failed')
  ctx.window.topUp()
}

function isDue(ctx: WorkerContext, taskId: string): boolean {
  const times = judgedAt.get(ctx) ?? new Map<string, number>()
  judgedAt.set(ctx, times)
  const now = performance.now()
  if (now - (times.get(taskId) ?? Number.NEGATIVE_INFINITY) < JUDGE_EVERY_MS) return false
  times.clear()
  times.set(taskId, now)
  return true
}

const isCanaryPlanned = (range: PlanRange): boolean => {
  const planned = range.channelId === '' ? Number(range.cursor) : range.planned
  return range.done || range.canary === undefined || planned >= range.canary
}

/** They come first in their range and are the only ones that never wait; targets without a channel do not count. */
async function canaryChunks(ctx: WorkerContext, taskId: string, range: PlanRange): Promise<Chunk[]> {
  const chunks = await ctx.store.chunks.ofTask(taskId, { afterSeq: range.seqBase - 1, limit: CHUNKS })
  const next = range.seqBase + 1_000_000
  return chunks.filter(({ seq, state, channelId }) => seq < next && state !== 'waiting' && channelId !== undefined)
}
