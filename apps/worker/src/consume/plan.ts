import { PageTurns, plan } from '@fanfare/core'
import { consumePlans, type PlanConsumer } from '@fanfare/queue'
import type { WorkerContext } from '../context.ts'

/** Waiting chunks are looked for at most so often while tasks of one app are being planned. */
const TOP_UP_MS = 200

/** Tasks planned side by side in one process, those of one app page by page. */
const SIDE_BY_SIDE = 32
/** A task that needs longer goes behind those that wait, so that no number of them keeps a short one from its start. */
const SLICE_MS = 1000

/** Plans tasks; a task has a name of its own at its leases, as two jobs of one process may plan it. */
export function consumePlanJobs(ctx: WorkerContext): PlanConsumer {
  const { store, log, holder, jobs, config, at, memory } = ctx
  const onPage = toppingUp(ctx)
  const pageTurns = new PageTurns()
  let count = 0
  const concurrency = ctx.plansAtOnce ?? SIDE_BY_SIDE
  const options = { redisUrl: config.redisUrl, log, concurrency, ...(ctx.share && { share: ctx.share }) }
  return consumePlans(options, (taskId, closing) => {
    if (memory.isHigh) return Promise.resolve(false)
    // While Redis is nearly full a planner leaves its task as it stands; the sweeper asks for it again.
    const signal = {
      get aborted() {
        return closing.aborted || memory.isHigh
      },
    }
    const began = performance.now()
    let pages = 0
    const isOver = () => pages > 0 && performance.now() - began > SLICE_MS
    const pageTurn = (appId: string) => {
      pages++
      return pageTurns.take(appId)
    }
    const enqueue: typeof jobs.enqueue = (items) => jobs.enqueue(items)
    const enqueuePlan: typeof jobs.enqueuePlan = (id, of) => jobs.enqueuePlan(id, of)
    const turn = (appId: string) => ctx.turns.next('new', appId)
    const own = { holder: `${holder}:${++count}`, signal, turn, pageTurn, isOver, pageSize: config.planPageSize }
    return plan({ store, log, enqueue, enqueuePlan, onPage, ...own, ...(at && { at }) }, taskId)
  })
}

/** Looks for waiting chunks at once, or where it looked for the app just now, after a while for all that came since. */
function toppingUp({ memory, window }: WorkerContext): (appId: string) => void {
  /** Apps looked for just now; whether pages of theirs came since. */
  const recent = new Map<string, boolean>()
  const look = (appId: string) => {
    if (!memory.isHigh) window.topUp()
    recent.set(appId, false)
    setTimeout(() => {
      const isBehind = recent.get(appId)
      recent.delete(appId)
      if (isBehind) look(appId)
    }, TOP_UP_MS).unref()
  }
  return (appId) => {
    if (recent.has(appId)) recent.set(appId, true)
    else look(appId)
  }
}
