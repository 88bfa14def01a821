import type { Audience, Message, NewTask, Plan, Task, TaskState } from '@fanfare/core'
import { type QueryFilter, trusted } from 'mongoose'
import type { ChunkDoc, PlanDoc, TaskDoc, TaskFlags } from '../schemas.ts'

export const OPEN_STATES: readonly TaskState[] = ['scheduled', 'planning', 'sending', 'paused']
export const isOpen = (state: TaskState): boolean => OPEN_STATES.includes(state)
/** States in which chunks are sent. */
export const isSending = (state: TaskState): boolean => state === 'planning' || state === 'sending'

/** Tasks are kept this long after their end. */
const KEPT_MS = 7 * 24 * 3600_000

/** True where no planner will add chunks: `finish` may look at the chunks. */
export const isPlanned = (plan: PlanDoc | undefined): boolean =>
  plan === undefined || plan.complete || (plan.ranges.length > 0 && plan.ranges.every((range) => range.done))

/** Where the planner's progress on a range stands in a task. */
export const stepKey = (range: number): string => `r${range}`

/**
 * Whether a chunk belongs to the task: its range's cursor has moved past it (task-plan.ts), and its page is of the
 * planner that moved it, not left behind by one that died.
 */
export function isCommitted(task: Pick<TaskDoc, 'steps'>, row: Pick<ChunkDoc, 'range' | 'seq' | 'attempt'>): boolean {
  if (row.range === undefined) return true
  const { end = 0, by = [] } = task.steps?.[stepKey(row.range)] ?? {}
  const owner = by.findLast(({ from }) => from <= row.seq)
  return row.seq < end && (owner === undefined || owner.attempt === row.attempt)
}

/** The same as a part of a filter. */
export function committedOnly({ steps }: Pick<TaskDoc, 'steps'>): QueryFilter<ChunkDoc> {
  if (!steps) return {}
  const parts = Object.entries(steps).flatMap(([key, { end = 0, by = [] }]) => {
    const range = Number(key.slice(1))
    const owned = [{ from: 0 }, ...by].map((part, index) => ({ ...part, below: by[index]?.from ?? end }))
    return owned.flatMap(({ from, below, ...owner }) =>
      from < below ? [{ range, seq: trusted({ $gte: from, $lt: below }), ...owner }] : [],
    )
  })
  return { $or: [{ range: trusted({ $exists: false }) }, ...parts] }
}

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

export const planRow = (plan: Plan): PlanDoc => ({ ...plan, ranges: plan.ranges.map((range) => ({ ...range })) })

export function toTask(row: TaskDoc): Task {
  const { startsAt, startedAt, finishedAt, rate, canary, plan } = row
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
    ...(plan && { plan: { ...plan, complete: isPlanned(plan) } }),
  }
}
