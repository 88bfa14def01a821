import { plan } from '@fanfare/core'
import { consumePlans, type PlanConsumer } from '@fanfare/queue'
import type { WorkerContext } from './context.ts'

/** Waiting chunks are looked for at most so often while a task is being planned. */
const TOP_UP_MS = 200

/** Plans tasks, one at a time in each process. */
export function consumePlanJobs(ctx: WorkerContext): PlanConsumer {
  const { store, log, holder, jobs, window, config, at, deliverer, memory } = ctx
  let toppedUpAt = Number.NEGATIVE_INFINITY
  const onPage = () => {
    if (performance.now() - toppedUpAt < TOP_UP_MS) return
    toppedUpAt = performance.now()
    if (!memory.isHigh) window.topUp()
  }
  return consumePlans({ redisUrl: config.redisUrl, log }, (taskId, closing) => {
    if (memory.isHigh) return Promise.resolve()
    // While Redis is nearly full a planner leaves its task as it stands; the sweeper asks for it again.
    const signal = {
      get aborted() {
        return closing.aborted || memory.isHigh
      },
    }
    const enqueue: typeof jobs.enqueue = (items) => jobs.enqueue(items)
    const enqueuePlan = (id: string, part: number) => jobs.enqueuePlan(id, part)
    const turn = () => deliverer.kit.turns.next('new')
    const planner = { store, log, holder, enqueue, enqueuePlan, onPage, signal, turn, pageSize: config.planPageSize }
    return plan({ ...planner, ...(at && { at }) }, taskId)
  })
}
