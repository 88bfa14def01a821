import { countedOf, progress, sleep, tokenNumber } from '@fanfare/testkit'
import type { Setup } from './setup.ts'

export type Account = {
  accepted: number
  delivered: number
  lost: number
  duplicates: number
  counted: number
  /** Sentences about invariants of docs/reliability.md §3.6 that do not hold; empty where all do. */
  broken: string[]
}

const FINAL_STATES = new Set(['done', 'cancelled', 'failed'])
const PAGE = 500
/** No task ended for this long: the rest will not either. Longer than every lease, lock and stalled scan. */
const QUIET_MS = 60_000

/** Waits until every task has ended, or until none has for a while; answers how many have not. */
export async function drain(setup: Setup, taskIds: readonly string[]): Promise<number> {
  let open = [...taskIds]
  let changedAt = performance.now()
  while (open.length > 0 && performance.now() - changedAt < QUIET_MS) {
    const left = await notFinal(setup, open)
    if (left.length < open.length) changedAt = performance.now()
    open = left
    if (open.length > 0) await sleep(250)
  }
  if (open.length > 0) progress(`${open.length} tasks have not ended`)
  return open.length
}

async function notFinal(setup: Setup, taskIds: readonly string[]): Promise<string[]> {
  const store = await setup.fleet.openStore()
  const left: string[] = []
  for (let start = 0; start < taskIds.length; start += PAGE) {
    const ids = taskIds.slice(start, start + PAGE)
    const tasks = await store.tasks.byIds(ids)
    left.push(...ids.filter((_, index) => !FINAL_STATES.has(tasks[index]?.state ?? '')))
  }
  return left
}

/** Compares what was accepted with what arrived and with what the task pages count. */
export async function account(setup: Setup, accepted: ReadonlyMap<number, string>): Promise<Account> {
  const arrived = new Set(
    (await setup.simulator.tokens()).filter((each) => each.accepted > 0).map((each) => tokenNumber(each.token)),
  )
  const counts = await setup.simulator.counts()
  const views = await taskViews(setup, [...accepted.values()])
  let lost = 0
  for (const [user, taskId] of accepted) {
    if (!arrived.has(user) && !views.get(taskId)?.answered) lost++
  }
  return {
    accepted: accepted.size,
    delivered: arrived.size,
    lost,
    duplicates: counts.accepted - counts.unique,
    counted: [...views.values()].reduce((sum, view) => sum + view.counted, 0),
    broken: [],
  }
}

type View = { counted: number; answered: boolean }

/** Every task's page over HTTP, as a customer reads it. */
async function taskViews(setup: Setup, taskIds: readonly string[]): Promise<Map<string, View>> {
  const views = new Map<string, View>()
  for (let start = 0; start < taskIds.length; start += 32) {
    const ids = taskIds.slice(start, start + 32)
    await Promise.all(ids.map(async (id) => views.set(id, await taskView(setup, id))))
  }
  return views
}

async function taskView(setup: Setup, taskId: string): Promise<View> {
  const task = await setup.app.task(taskId)
  return { counted: countedOf(task), answered: task.counts.FAIL + task.counts.ERROR > 0 }
}
