/**
 * A task's life. An event that is not drawn at a state does nothing there.
 *
 *                     (bulk)                planned
 *   scheduled ──start──────────► planning ──────────► sending ──finish──► done
 *     │   └──────start─────────────────────────────────►│ ▲ ▲
 *     │                             │                   │ │ └── expire: of scheduled, planning, paused
 *     ├──────────pause──────────────┴──────────────────►│ │
 *     │                                          paused ┴─┘ resume: to where it stood
 *     └── cancel: of all four ──► cancelled
 *
 * What expires goes through `sending`: nothing more of it is planned, its open members become `expired`, then it is done.
 * `failed` is read, and nothing sets it. Held is what a task is whose canary was: it stays `sending` (or
 * `planning`) and sends nothing but the canary until it is resumed.
 */
import type { Task, TaskState } from '../nouns/task.ts'

export type TaskEvent = 'start' | 'planned' | 'pause' | 'resume' | 'cancel' | 'expire' | 'finish'
type Move = { from: readonly TaskState[]; to: (task: Task, nowMs: number) => TaskState }

/** Of tasks that have work and are not stopped. */
export const OPEN_STATES: readonly TaskState[] = ['scheduled', 'planning', 'sending']
/** Of tasks that have not ended. */
export const LIVE_STATES: readonly TaskState[] = [...OPEN_STATES, 'paused']

export const MOVES: Readonly<Record<TaskEvent, Move>> = {
  start: { from: ['scheduled'], to: begun },
  planned: { from: ['planning'], to: () => 'sending' },
  pause: { from: OPEN_STATES, to: () => 'paused' },
  resume: { from: ['paused'], to: (task, nowMs) => (isDue(task, nowMs) ? begun(task) : 'scheduled') },
  cancel: { from: LIVE_STATES, to: () => 'cancelled' },
  expire: { from: LIVE_STATES, to: () => 'sending' },
  finish: { from: ['sending'], to: () => 'done' },
}

/** Whether planners work on it: also on one whose planner died between its last page and its end. */
export const isPlannable = ({ lane, state, plan }: Task): boolean =>
  lane === 'bulk' && (state === 'planning' || (state === 'sending' && plan?.complete === false))

/** By the store's clock. */
export const isDue = ({ startsAt }: Task, nowMs: number): boolean => !startsAt || startsAt.getTime() <= nowMs

function begun({ lane, plan }: Task): TaskState {
  return lane === 'bulk' && !plan?.complete ? 'planning' : 'sending'
}
