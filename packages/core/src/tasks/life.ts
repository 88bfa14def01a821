import { PushError } from '../common/errors.ts'
import type { Canary, Plan, Task } from '../nouns/task.ts'
import type { Store } from '../ports/store/store.ts'
import type { TaskChange } from '../ports/store/tasks.ts'
import { MOVES, type TaskEvent } from './states.ts'

type Tasks = { tasks: Pick<Store['tasks'], 'byIds' | 'update'> }
type TasksAndChunks = Tasks & { chunks: Pick<Store['chunks'], 'cancel'> }
type Moved = { nowMs: number } & Omit<TaskChange, 'state' | 'ifState'>

/** Moves a task where the event is drawn at the state it has now; false where it is not. `nowMs`: by the store's clock. */
export function moveTask(store: Tasks, task: Task, event: TaskEvent, { nowMs, ...change }: Moved): Promise<boolean> {
  const { from, to } = MOVES[event]
  return store.tasks.update(task.id, { ...change, state: to(task, nowMs), ifState: from })
}

/** Rejects with a PushError where the task has ended. */
export const pauseTask = (store: Tasks, task: Task): Promise<Task> => moved(store, task, 'pause', 0)

/** Goes on where it stood. A canary that was held is let through. */
export async function resumeTask(store: Tasks, task: Task, nowMs: number): Promise<Task> {
  if (task.canary?.state === 'held') {
    await store.tasks.update(task.id, { canary: { ...task.canary, state: 'passed' } })
  }
  return task.state === 'paused' ? moved(store, task, 'resume', nowMs) : again(store, task)
}

/** Members that were not handed over become `cancelled`; those of chunks under way see it at their next write. */
export async function cancelTask(store: TasksAndChunks, task: Task): Promise<Task> {
  const cancelled = await moved(store, task, 'cancel', 0)
  await store.chunks.cancel(task.id)
  return cancelled
}

export type TaskPatch = { rate?: number | null | undefined; canary?: Omit<Canary, 'state'> | undefined }

/** Rejects with a PushError where the canary is to be changed and the task has started. */
export async function changeTask(store: Tasks, task: Task, patch: TaskPatch): Promise<Task> {
  const canary = patch.canary && { ...patch.canary, state: 'running' as const }
  const changed = await store.tasks.update(task.id, {
    ...(patch.rate !== undefined && { rate: patch.rate }),
    // Judged by the store: the task may start while it is being changed, and a plan without a canary has no first part.
    ...(canary && { canary, ifState: MOVES.start.from }),
  })
  if (canary && !changed) {
    throw new PushError('BAD_PARAMETER', { field: 'canary', detail: 'can be changed only before the task starts' })
  }
  return again(store, task)
}

const NO_PLAN: Plan = { upToDeviceId: '0', ranges: [], complete: true }

/** Nothing more is planned or sent; its open members become `expired` and it can be finished. */
export async function expireTask(store: Tasks, task: Task): Promise<void> {
  if (task.state === 'sending' && task.plan?.complete !== false) return
  const known = task.plan ?? NO_PLAN
  const plan = { ...known, ranges: known.ranges.map((range) => ({ ...range, done: true })), complete: true }
  await moveTask(store, task, 'expire', { nowMs: 0, ...(task.lane === 'bulk' && { plan }) })
}

/** Lets the rest of a task go once its first part went out well, or holds it. */
export async function judgeCanary(
  store: Tasks,
  task: Task & { canary: Canary },
  { members, failed }: { members: number; failed: number },
): Promise<{ state: 'passed' | 'held'; failPercent: number }> {
  const failPercent = members === 0 ? 0 : (failed / members) * 100
  const state = failPercent <= task.canary.maxFailPercent ? 'passed' : 'held'
  await store.tasks.update(task.id, { canary: { ...task.canary, state } })
  return { state, failPercent }
}

async function moved(store: Tasks, task: Task, event: TaskEvent, nowMs: number): Promise<Task> {
  const changed = await moveTask(store, task, event, { nowMs })
  const now = await again(store, task)
  const wanted = MOVES[event].to(task, nowMs)
  if (!changed && now.state !== wanted) {
    throw new PushError('BAD_PARAMETER', { field: 'task', detail: `is ${now.state}, it cannot become ${wanted}` })
  }
  return now
}

async function again(store: Tasks, task: Task): Promise<Task> {
  const [now] = await store.tasks.byIds([task.id])
  if (!now) throw new PushError('NOT_FOUND', { what: 'task' })
  return now
}
