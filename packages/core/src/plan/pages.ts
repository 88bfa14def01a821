import { CHUNK_SIZE } from '../nouns/defaults.ts'
import type { Plan, PlanRange, Task } from '../nouns/task.ts'
import type { DevicePage } from '../ports/store/devices.ts'
import type { Store } from '../ports/store/store.ts'
import type { NewChunk } from '../ports/store/tasks.ts'
import { chunksOfUsers } from '../tasks/chunks-of-users.ts'
import { targetsOf } from '../tasks/targets.ts'
import { type PlanPage, unreachedPage } from './unreached.ts'

export type PageSource = { store: Pick<Store, 'devices' | 'labels'>; pageSize: number }
export type PlanStep = { task: Task; plan: Plan; range: PlanRange }

/** Users of one page, and the chunk numbers kept for it: a page makes as many chunks as its users need. */
const USERS_PER_PAGE = 1000
const SEQS_PER_PAGE = 1000

/** The next page of a range: its chunks and where to go on. Depends on the range alone, so a repetition is the same. */
export function nextPage(source: PageSource, step: PlanStep): Promise<PlanPage> {
  const { task, range } = step
  if (task.audience.kind === 'users') return userPage(source, step)
  return range.channelId === '' ? unreachedPage(source, task, range) : devicePage(source, step)
}

async function devicePage(source: PageSource, step: PlanStep): Promise<PlanPage> {
  const { range } = step
  const inCanary = (range.canary ?? 0) > range.planned
  const wanted = inCanary ? Math.min(source.pageSize, (range.canary ?? 0) - range.planned) : source.pageSize
  const found = await readDevices(source, step, wanted)
  const first = range.seqBase + chunksBefore(range)
  const chunks: NewChunk[] = []
  for (let from = 0; from < found.ids.length; from += CHUNK_SIZE) {
    const members = found.ids.slice(from, from + CHUNK_SIZE).map((deviceId) => ({ deviceId }))
    const seq = first + chunks.length
    chunks.push({ seq, channelId: range.channelId, members, state: inCanary ? 'planned' : 'waiting' })
  }
  return { chunks, cursor: found.next ?? range.cursor, done: found.next === undefined }
}

/** Every chunk but the canary's last and the range's last is full, so their number follows from the members. */
function chunksBefore({ planned, canary = 0 }: PlanRange): number {
  if (planned <= canary) return Math.ceil(planned / CHUNK_SIZE)
  return Math.ceil(canary / CHUNK_SIZE) + Math.ceil((planned - canary) / CHUNK_SIZE)
}

/** The chunks of a range below this seq are its canary. */
export function canaryEnd({ channelId, seqBase, canary = 0 }: PlanRange): number {
  const isOfUsers = channelId === ''
  return seqBase + (isOfUsers ? pagesBefore(canary, canary) * SEQS_PER_PAGE : Math.ceil(canary / CHUNK_SIZE))
}

/** Reads on until the page is full: only the last page of a range may hold fewer. */
async function readDevices(
  source: PageSource,
  step: PlanStep,
  wanted: number,
): Promise<{ ids: string[]; next: string | undefined }> {
  const ids: string[] = []
  let next: string | undefined = step.range.cursor
  while (next !== undefined && ids.length < wanted) {
    const page: DevicePage = await readPage(source, step, { after: next, limit: wanted - ids.length })
    ids.push(...page.deviceIds)
    next = page.next
  }
  return { ids, next }
}

function readPage(source: PageSource, step: PlanStep, at: { after: string; limit: number }): Promise<DevicePage> {
  const { task, plan, range } = step
  const { devices } = source.store
  const where = { channelId: range.channelId, upToId: range.upTo ?? plan.upToDeviceId, ...at }
  if (task.audience.kind !== 'labels') return devices.page(where)
  return devices.labelPage({ ...where, appId: task.appId, labels: task.audience.allOf })
}

/** The cursor is the number of users planned. */
async function userPage(source: PageSource, step: PlanStep): Promise<PlanPage> {
  const { task, range } = step
  const all = task.audience.kind === 'users' ? task.audience.userIds : []
  const from = Number(range.cursor)
  const canary = range.canary ?? 0
  const inCanary = from < canary
  const end = Math.min(all.length, from + USERS_PER_PAGE, inCanary ? canary : all.length)
  const targets = await targetsOf(source.store.devices, task.appId, all.slice(from, end))
  const first = range.seqBase + pagesBefore(from, canary) * SEQS_PER_PAGE
  const chunks = chunksOfUsers(targets).map((chunk): NewChunk => {
    const state = chunk.state ?? (inCanary ? 'planned' : 'waiting')
    return { ...chunk, seq: first + chunk.seq, state }
  })
  return { chunks, cursor: String(end), done: end >= all.length }
}

function pagesBefore(users: number, canary: number): number {
  if (users <= canary) return Math.ceil(users / USERS_PER_PAGE)
  return Math.ceil(canary / USERS_PER_PAGE) + Math.ceil((users - canary) / USERS_PER_PAGE)
}
