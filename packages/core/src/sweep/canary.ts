import { isFinal } from '../ledger/outcomes.ts'
import type { Chunk } from '../nouns/chunk.ts'
import type { Plan, PlanRange, Task } from '../nouns/task.ts'
import { canaryEnd } from '../plan/pages.ts'
import { judgeCanary } from '../tasks/life.ts'
import type { SweepContext } from './context.ts'

const JUDGE_EVERY_MS = 1000
/** Chunks of one read: their outcomes are a megabyte at most. */
const CHUNKS = 100
const MOST_TASKS = 1000
/** What is known of the canary of one range: its chunks below `seq` are all final and counted. */
type Tally = { seq: number; members: number; failed: number }
type Judging = { at: number; ranges: Map<number, Tally> }

/** Counts what became of canaries, and has each judged once all of its members are final. */
export class CanaryJudge {
  readonly #ctx: SweepContext
  readonly #judging = new Map<string, Judging>()

  constructor(ctx: SweepContext) {
    this.#ctx = ctx
  }

  async look(task: Task): Promise<void> {
    const { canary, plan } = task
    if (canary?.state !== 'running' || !plan) return
    const known = this.#due(task.id)
    if (!known || !plan.ranges.every(isCanaryPlanned)) return
    const total = await this.#total(task.id, plan, known)
    if (!total) return
    this.#judging.delete(task.id)
    const verdict = await judgeCanary(this.#ctx.store, { ...task, canary }, total)
    const fields = { taskId: task.id, members: total.members, failPercent: verdict.failPercent }
    if (verdict.state === 'passed') this.#ctx.log.info(fields, 'canary passed')
    else this.#ctx.log.error({ alert: 'canary', ...fields }, 'canary held: too many of the first part failed')
    this.#ctx.window.topUp()
  }

  /** Undefined while members of the canary are open. */
  async #total(taskId: string, plan: Plan, known: Judging): Promise<Omit<Tally, 'seq'> | undefined> {
    const total = { members: 0, failed: 0 }
    for (const range of plan.ranges) {
      const tally = await counted(this.#ctx, taskId, { range, tally: known.ranges.get(range.seqBase) })
      known.ranges.set(range.seqBase, tally)
      if (tally.seq < canaryEnd(range)) return undefined
      total.members += tally.members
      total.failed += tally.failed
    }
    return total
  }

  /** What is known so far, where the task was not looked at a moment ago. Others than those asked for lately are forgotten. */
  #due(taskId: string): Judging | undefined {
    const now = performance.now()
    const known = this.#judging.get(taskId)
    if (known && now - known.at < JUDGE_EVERY_MS) return undefined
    const next = { at: now, ranges: known?.ranges ?? new Map<number, Tally>() }
    this.#judging.delete(taskId)
    this.#judging.set(taskId, next)
    const [oldest] = this.#judging.keys()
    if (oldest !== undefined && this.#judging.size > MOST_TASKS) this.#judging.delete(oldest)
    return next
  }
}

const isCanaryPlanned = (range: PlanRange): boolean => {
  const planned = range.channelId === '' ? Number(range.cursor) : range.planned
  return range.done || range.canary === undefined || planned >= range.canary
}

type Counting = { range: PlanRange; tally: Tally | undefined }

/** Goes on from where all was final, up to the end of the canary or the first chunk that is not. */
async function counted(ctx: SweepContext, taskId: string, { range, tally }: Counting): Promise<Tally> {
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
