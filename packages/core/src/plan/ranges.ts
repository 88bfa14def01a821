import type { Channel } from '../nouns/channel.ts'
import type { Plan, PlanRange, Task } from '../nouns/task.ts'
import type { Store } from '../ports/store/store.ts'

/** The names of a label audience. */
export const labelsOf = ({ audience }: Task): readonly string[] => (audience.kind === 'labels' ? audience.allOf : [])

/** Chunk numbers of one range: room for a billion members in each. */
const SEQS_PER_RANGE = 1_000_000
/** A channel with more devices than this is planned in parts side by side. */
const PART_DEVICES = 1_000_000
const MAX_PARTS = 4

export type PlanSource = { store: Pick<Store, 'channels' | 'devices' | 'labels'> }

/** Channels a broadcast goes to: all vendors of the app. */
export async function planChannels(source: PlanSource, appId: string): Promise<Channel[]> {
  const channels = await source.store.channels.ofApp(appId)
  return channels.filter((channel) => channel.platform !== 'online')
}

/** The plan of a task as it starts: the devices of now, split into ranges, nothing planned yet. */
export async function firstPlan(source: PlanSource, task: Task): Promise<Plan> {
  const upToDeviceId = await source.store.devices.maxId()
  const { audience } = task
  if (audience.kind === 'users') return userPlan(task, audience.userIds.length, upToDeviceId)
  const channels = await planChannels(source, task.appId)
  const labels = audience.kind === 'labels'
  const counted = await Promise.all(channels.map(({ id }) => source.store.devices.count(id)))
  const expected = labels ? await labelled(source, task) : counted.reduce((sum, count) => sum + count, 0)
  const drafts: Omit<PlanRange, 'seqBase'>[] = []
  for (const [index, { id }] of channels.entries()) {
    const devices = counted[index] ?? 0
    if (devices === 0) continue
    if (labels) drafts.push({ ...START, channelId: id, ...canaryOf(task, Math.min(devices, expected)) })
    else drafts.push(...(await parts(source, task, { channelId: id, devices, upToDeviceId })))
  }
  if (labels) drafts.push({ ...START, channelId: '', cursor: UNREACHED })
  const ranges = drafts.map((draft, index) => ({ ...draft, seqBase: index * SEQS_PER_RANGE }))
  return { upToDeviceId, ranges, expected, complete: ranges.length === 0 }
}

/** The first cursor of the range that finds members of labels without any device. */
const UNREACHED = '0|'
const START = { cursor: '', planned: 0, done: false }

function userPlan(task: Task, users: number, upToDeviceId: string): Plan {
  const range: PlanRange = { ...START, channelId: '', seqBase: 0, cursor: '0', ...canaryOf(task, users) }
  return { upToDeviceId, ranges: users === 0 ? [] : [range], expected: users, complete: users === 0 }
}

function canaryOf(task: Task, members: number): { canary?: number } {
  return task.canary ? { canary: Math.ceil((members * task.canary.percent) / 100) } : {}
}

async function labelled(source: PlanSource, task: Task): Promise<number> {
  const labels = await source.store.labels.byNames(task.appId, labelsOf(task))
  return Math.min(...labels.map((label) => label?.count ?? 0))
}

type Whole = { channelId: string; devices: number; upToDeviceId: string }

/** Ranges `(lower bound, next lower bound]`; the first begins below every id. */
async function parts(source: PlanSource, task: Task, whole: Whole): Promise<Omit<PlanRange, 'seqBase'>[]> {
  const { channelId, devices, upToDeviceId } = whole
  const first = { ...START, channelId, cursor: '0', ...canaryOf(task, devices) }
  const wanted = task.canary ? 1 : Math.min(MAX_PARTS, Math.ceil(devices / PART_DEVICES))
  if (wanted === 1) return [first]
  const lower = (await source.store.devices.splitPoints(channelId, upToDeviceId, wanted)).slice(1)
  const upper = [...lower, upToDeviceId]
  return upper.map((upTo, index) => ({ ...first, cursor: index === 0 ? '0' : (lower[index - 1] ?? '0'), upTo }))
}
