import type { Audience, Message, NewTask, Plan, Task, TaskState } from '@fanfare/core'
import type { TaskDoc, TaskFlags } from '../schemas.ts'
import type { PlanDoc } from './plan-docs.ts'

export const OPEN_STATES: readonly TaskState[] = ['scheduled', 'planning', 'sending', 'paused']
export const isOpen = (state: TaskState): boolean => OPEN_STATES.includes(state)
/** States in which chunks are sent. */
export const isSending = (state: TaskState): boolean => state === 'planning' || state === 'sending'

/** Tasks are kept this long after their end. */
const KEPT_MS = 7 * 24 * 3600_000

type Flagged = Pick<TaskDoc, 'appId' | 'lane' | 'state' | 'expiresAt' | 'startsAt' | 'createdAt' | 'finishedAt'>

/** The state's flags (schemas.ts); undefined = not to be there. */
export function flagsOf(row: Flagged): Required<{ [Key in keyof TaskFlags]: TaskFlags[Key] | undefined }> {
  const open = isOpen(row.state)
  const bulkApp = row.lane === 'bulk' ? row.appId : undefined
  const ended = (row.finishedAt ?? row.createdAt).getTime()
  return {
    bulkApp,
    runs: open ? bulkApp : undefined,
    dueAt: row.state === 'scheduled' ? (row.startsAt ?? row.createdAt) : undefined,
    openUntil: open ? row.expiresAt : undefined,
    purgeAt: open ? undefined : new Date(ended + KEPT_MS),
  }
}

/** `$set` and `$unset` of fields of which some are to go. */
export function setOrUnset(fields: Record<string, unknown>): { $set: object; $unset?: object } {
  const entries = Object.entries(fields)
  const gone = entries.filter(([, value]) => value === undefined).map(([key]) => [key, 1])
  const $set = Object.fromEntries(entries.filter(([, value]) => value !== undefined))
  return gone.length > 0 ? { $set, $unset: Object.fromEntries(gone) } : { $set }
}

export function taskRow({ task, idempotency }: NewTask): TaskDoc {
  const { id, appId, audience, message, route, plan, ...rest } = task
  const row = {
    ...rest,
    _id: Number(id),
    appId: Number(appId),
    audience: JSON.stringify(audience),
    message: JSON.stringify(message),
    route: [...route],
    ...(plan && { plan: planRow(plan) }),
    ...(idempotency && { idem: idemOf(idempotency, task.createdAt) }),
  }
  const fields = Object.entries({ ...row, ...flagsOf(row) }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(fields) as unknown as TaskDoc
}

const idemOf = ({ key, fingerprint, answer }: NonNullable<NewTask['idempotency']>, at: Date) => ({
  ...{ key, fp: fingerprint, at },
  ...(answer && { answer: { status: answer.status, body: answer.body } }),
})

/** The app of a task that was given up before it came. */
export const NO_APP = 0

/**
 * Stands where a task would have come, so that it cannot come any more (chunk-sweep.ts). Nobody finds it: it belongs to
 * no app, is not open, and goes when finished tasks go.
 */
export const tombstone = (id: number, now: Date): TaskDoc => ({
  ...{ _id: id, appId: NO_APP, lane: 'single', audience: '{}', message: '{}', route: [], onUnknown: 'drop' },
  ...{ state: 'failed', createdAt: now, expiresAt: now, purgeAt: new Date(now.getTime() + KEPT_MS) },
})

export const planRow = ({ ranges, ...rest }: Plan): PlanDoc => ({
  ...rest,
  first: ranges.map((range) => ({ ...range })),
})

/** Without its plan (ranges.ts). */
export function toTask(row: TaskDoc): Task {
  const { startsAt, startedAt, finishedAt, rate, canary } = row
  return {
    id: String(row._id),
    appId: String(row.appId),
    lane: row.lane,
    audience: JSON.parse(row.audience) as Audience,
    message: JSON.parse(row.message) as Message,
    route: row.route,
    onUnknown: row.onUnknown,
    state: row.state,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    ...(startsAt && { startsAt }),
    ...(startedAt && { startedAt }),
    ...(finishedAt && { finishedAt }),
    ...(rate !== undefined && { rate }),
    ...(canary && { canary }),
  }
}
