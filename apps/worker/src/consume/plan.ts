import { PageTurns, plan } from '@fanfare/core'
import { consumePlans, type PlanConsumer } from '@fanfare/queue'
import type { WorkerContext } from '../context.ts'

/** Waiting chunks are looked for at most so often while a task is being planned. */
const TOP_UP_MS = 200

/** Tasks planned side by side in one process, page by page, each app in its turn. */
const SIDE_BY_SIDE = 32
/** A task that needs longer goes behind those that wait, so that no number of them keeps a short one from its start. */
const SLICE_MS = 1000

/** Plans tasks; a task has a name of its own at its leases, as two jobs of one process may plan it. */
export function consumePlanJobs(ctx: WorkerContext): PlanConsumer {
  const { store, log, holder, jobs, config, at, deliverer, memory } = ctx
  const onPage = toppingUp(ctx)
  const turns = new PageTurns()
  let count = 0
  const options = { redisUrl: config.redisUrl, log, concurrency: ctx.plansAtOnce ?? SIDE_BY_SIDE }
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
      return turns.take(appId)
    }
    const enqueue: typeof jobs.enqueue = (items) => jobs.enqueue(items)
    const enqueuePlan = (id: string, part: number) => jobs.enqueuePlan(id, part)
    const turn = (appId: string) => deliverer.kit.turns.next('new', appId)
    const own = { holder: `${holder}:${++count}`, signal, turn, pageTurn, isOver, pageSize: config.planPageSize }
    return plan({ store, log, enqueue, enqueuePlan, onPage, ...own, ...(at && { at }) }, taskId)
  })
}

/** Looks for waiting chunks at once, or when the last look is long enough ago: those of the page it is called for too. */
function toppingUp({ memory, window }: WorkerContext): () => void {
  let toppedUpAt = Number.NEGATIVE_INFINITY
  let isDue = false
  const topUp = () => {
    isDue = false
    toppedUpAt = performance.now()
    if (!memory.isHigh) window.topUp()
  }
  return () => {
    const afterMs = toppedUpAt + TOP_UP_MS - performance.now()
    if (isDue) return
    isDue = true
    if (afterMs > 0) setTimeout(topUp, afterMs).unref()
    else topUp()
  }
}
