import { TASK_TTL_MS } from '../nouns/defaults.ts'
import type { Canary, Task } from '../nouns/task.ts'
import type { NewChunk, NewTask } from '../ports/store/tasks.ts'

export type TaskDraft = Pick<Task, 'id' | 'appId' | 'lane' | 'audience' | 'message' | 'route' | 'createdAt'> & {
  onUnknown?: Task['onUnknown'] | undefined
  startsAt?: Date | undefined
  rate?: number | undefined
  canary?: Omit<Canary, 'state'> | undefined
  /** From its start on. */
  ttlMs?: number | undefined
}

/** A task as it is accepted. Those of lane `bulk` are planned later; of the others the chunks are known. */
export function newTask(draft: TaskDraft, chunks: readonly Pick<NewChunk, 'state'>[] = []): NewTask['task'] {
  const { startsAt, rate, canary, ttlMs = TASK_TTL_MS, onUnknown = 'resend', ...given } = draft
  const start = startsAt ?? given.createdAt
  return {
    ...given,
    onUnknown,
    state: firstState(draft, chunks),
    expiresAt: new Date(start.getTime() + ttlMs),
    ...(startsAt && { startsAt }),
    ...(rate && { rate }),
    ...(canary && { canary: { ...canary, state: 'running' as const } }),
  }
}

function firstState({ lane, startsAt }: TaskDraft, chunks: readonly Pick<NewChunk, 'state'>[]): Task['state'] {
  if (lane === 'bulk') return startsAt ? 'scheduled' : 'planning'
  return chunks.every((chunk) => chunk.state === 'done') ? 'done' : 'sending'
}
