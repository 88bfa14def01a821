import type { Canary, Plan, Task, TaskState } from '@fanfare/core'
import { LANES } from '../chunks/rows.ts'
import type { PLAN_TEXT } from './plan-rows.ts'

/** The index is what the tables hold. States below `done` are open; the partial indexes of schema.ts rely on the order. */
export const TASK_STATES = ['scheduled', 'planning', 'sending', 'paused', 'done', 'cancelled', 'failed'] as const
const CODE = new Map(TASK_STATES.map((state, code) => [state, code]))
export const stateCode = (state: TaskState): number => CODE.get(state) ?? 6
export const laneCode = (lane: Task['lane']): number => LANES.indexOf(lane)

/** True where no planner will add chunks: `finish` may look at the chunks. */
export const isPlanned = (plan: Plan | undefined): 0 | 1 =>
  plan === undefined || plan.complete || (plan.ranges.length > 0 && plan.ranges.every((range) => range.done)) ? 1 : 0

/** What never changes of a task is one text. */
type Body = Pick<Task, 'audience' | 'message' | 'route' | 'onUnknown'>
export const bodyOf = ({ audience, message, route, onUnknown }: Body): string =>
  JSON.stringify({ audience, message, route, onUnknown })

/** The columns of a task as one JSON array; the tables' aliases are `t` and, where plans are wanted, `p`. */
export const taskColumns = (plan: typeof PLAN_TEXT | 'null'): string =>
  `json_array(t.id, t.app, t.lane, t.state, t.created_at, t.starts_at, t.expires_at, t.started_at, t.finished_at,
    t.rate, t.canary, t.body, ${plan})`
export type TaskRow = [
  id: number,
  app: number,
  lane: number,
  state: number,
  createdAt: number,
  startsAt: number | null,
  expiresAt: number,
  startedAt: number | null,
  finishedAt: number | null,
  rate: number | null,
  canary: string | null,
  body: string,
  plan: string | null,
]

export function toTask(row: TaskRow): Task {
  const [id, app, lane, state, createdAt, startsAt, expiresAt, startedAt, finishedAt, rate, canary, body, plan] = row
  const { audience, message, route, onUnknown } = JSON.parse(body) as Body
  return {
    id: String(id),
    appId: String(app),
    lane: LANES[lane] ?? 'bulk',
    audience,
    message,
    route,
    onUnknown,
    state: TASK_STATES[state] ?? 'failed',
    createdAt: new Date(createdAt),
    expiresAt: new Date(expiresAt),
    ...(startsAt !== null && { startsAt: new Date(startsAt) }),
    ...(startedAt !== null && { startedAt: new Date(startedAt) }),
    ...(finishedAt !== null && { finishedAt: new Date(finishedAt) }),
    ...(rate !== null && { rate }),
    ...(canary !== null && { canary: JSON.parse(canary) as Canary }),
    ...(plan !== null && { plan: JSON.parse(plan) as Plan }),
  }
}

/** Whether a task has a chunk that is not final. Only chunks of bulk tasks have an index; others have few. */
export const hasOpenChunk = (task: 't' | 'tasks'): string => `
  case ${task}.lane
    when 2 then exists (select 1 from chunks c where c.task = ${task}.id and c.lane = 2 and c.state < 4)
    else exists (select 1 from chunks c where c.task = ${task}.id and c.state < 4) end`
