import type { Label } from '../nouns/label.ts'
import type { PlanRange, Task } from '../nouns/task.ts'
import type { Store } from '../ports/store/store.ts'
import type { NewChunk } from '../ports/store/tasks.ts'
import { chunksOfUsers } from '../tasks/chunks-of-users.ts'
import { labelsOf } from './ranges.ts'

export type PlanPage = { chunks: NewChunk[]; cursor: string; done: boolean }

const USERS_PER_PAGE = 1000

/**
 * Members of all labels of a task that have no device: final at once, so that counts add up (docs/design.md §6). The
 * cursor is the number of pages read and the place in the first label, `3|user-17`.
 */
export async function unreachedPage(
  source: { store: Pick<Store, 'devices' | 'labels'> },
  task: Task,
  range: PlanRange,
): Promise<PlanPage> {
  const { store } = source
  const bar = range.cursor.indexOf('|')
  const page = Number(range.cursor.slice(0, bar))
  const after = range.cursor.slice(bar + 1)
  const labels = (await store.labels.byNames(task.appId, labelsOf(task))).filter((label) => label !== undefined)
  const [first, ...others] = labels.sort((a, b) => a.count - b.count)
  // A label that was removed meanwhile has no members.
  if (!first || labels.length < labelsOf(task).length) return { chunks: [], cursor: range.cursor, done: true }
  const read = await store.labels.members(first.id, USERS_PER_PAGE, after === '' ? undefined : after)
  const userIds = read.members.map((member) => member.userId)
  const found = await store.devices.ofUsers(userIds.map((userId) => ({ appId: task.appId, userId })))
  const without = userIds.filter((_, index) => !found[index]?.length)
  const unreached = await inAll(store, others, without)
  const chunks = chunksOfUsers(unreached.map((userId) => ({ userId, devices: [], exists: true })))
  const numbered = chunks.map((chunk): NewChunk => ({ ...chunk, seq: range.seqBase + page }))
  const cursor = `${page + 1}|${read.cursor ?? after}`
  return { chunks: numbered, cursor, done: read.cursor === undefined }
}

async function inAll(store: Pick<Store, 'labels'>, labels: readonly Label[], userIds: string[]): Promise<string[]> {
  let left = userIds
  for (const { id } of labels) {
    const members = await Promise.all(left.map((userId) => store.labels.member(id, userId)))
    left = left.filter((_, index) => members[index] !== undefined)
  }
  return left
}
