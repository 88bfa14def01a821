import { type Chunk, canaryEnd, isFinal, type Plan, type PlanRange, type Task } from '@fanfare/core'
import type { WorkerContext } from '../context.ts'

const JUDGE_EVERY_MS = 1000
/** Chunks of one read: their outcomes are a megabyte at most. */
const CHUNKS = 100
/** What is known of the canary of one range: its chunks below `seq` are all final and counted. */
type Tally = { seq: number; members: number; failed: number }
type Judging = { at: number; ranges: Map<number, Tally> }
const judging = new WeakMap<WorkerContext, Map<string, Judging>>()

/** Lets the rest of a task go once its first part went out well, or holds it (docs/design.md §2). */
export async function judgeCanary(ctx: WorkerContext, task: Task, plan: Plan): Promise<void> {
  const { canary } = task
  const known = due(ctx, task.id)
  if (!canary || !known || !plan.ranges.every(isCanaryPlanned)) return
  const total = { members: 0, failed: 0 }
  for (const range of plan.ranges) {
    const tally = await counted(ctx, task.id, { range, tally: known.ranges.get(range.seqBase) })
    known.ranges.set(range.seqBase, tally)
    if (tally.seq < canaryEnd(range)) return
    total.members += tally.members
    total.failed += tally.failed
  }
  judging.get(ctx)?.delete(task.id)
  await decide(ctx, task, total)
}

async function decide(ctx: WorkerContext, task: Task, { members, failed }: Omit<Tally, 'seq'>): Promise<void> {
  const { canary } = task
  if (!canary) return
  const failPercent = members === 0 ? 0 : (failed / members) * 100
  const state = failPercent <= canary.maxFailPercent ? 'passed' : 'held'
  await ctx.store.tasks.update(task.id, { canary: { ...canary, state } })
  const fields = { taskId: task.id, members, failPercent }
  if (state === 'passed') ctx.log.info(fields, 'canary passed')
  else ctx.log.error({ alert: 'canary', ...fields }, 'canary held: too many of the first part failed')
  ctx.window.topUp()
}

/** What is known so far, where the task was not judged a moment ago. Others than those asked for lately are forgotten. */
function due(ctx: WorkerContext, taskId: string): Judging | undefined {
  const tasks = judging.get(ctx) ?? new Map<string, Judging>()
  judging.set(ctx, tasks)
  const now = performance.now()
  const known = tasks.get(taskId)
  if (known && now - known.at < JUDGE_EVERY_MS) return undefined
  const next = { at: now, ranges: known?.ranges ?? new Map<number, Tally>() }
  tasks.delete(taskId)
  tasks.set(taskId, next)
  const [oldest] = tasks.keys()
  if (oldest !== undefined && tasks.size > MOST_TASKS) tasks.delete(oldest)
  return next
}
const MOST_TASKS = 1000

const isCanaryPlanned = (range: PlanRange): boolean => {
  const planned = range.channelId === '' ? Number(range.cursor) : range.planned
  return range.done || range.canary === undefined || planned >= range.canary
}

type Counting = { range: PlanRange; tally: Tally | undefined }

/** Goes on from where all was final, up to the end of the canary or the first chunk that is not. */
async function counted(ctx: WorkerContext, taskId: string, { range, tally }: Counting): Promise<Tally> {
  const end = canaryEnd(range)
  let { seq, members, failed } = tally ?? { seq: range.seqBase, members: 0, failed: 0 }
  while (seq < end) {
    const found = await ctx.store.chunks.ofTask(taskId, { afterSeq: seq - 1, limit: CHUNKS })
    for (const chunk of found) {
      if (chunk.seq >= end) return { seq: end, members, failed }
      if (!chunk.outcomes.every(isFinal)) return { seq: chunk.seq, members, failed }
      seq = chunk.seq + 1
      members += countsOf(chunk).length
      failed += countsOf(chunk).filter((outcome) => outcome !== 'sent').length
    }
    if (found.length < CHUNKS) seq = end
  }
  return { seq, members, failed }
}

/** Targets without a channel do not count: nothing was tried for them. */
const countsOf = (chunk: Chunk): Chunk['outcomes'] => (chunk.channelId === undefined ? [] : chunk.outcomes)
