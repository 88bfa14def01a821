import {
  type App,
  type Channel,
  type Chunk,
  type Device,
  type Outcome,
  PushError,
  type Task,
  type TaskCounts,
} from '@fanfare/core'
import type { ApiContext } from '../context.ts'

/** Up to so many targets a task shows itself, without asking for its results. */
const SHOWN_TARGETS = 100
const CHUNKS_PER_READ = 10

type Channels = ReadonlyMap<string, Channel>
/** What became of one target: of a user's device, or of a user without one. */
export type TargetResult = {
  userId: string
  deviceId: string | undefined
  channel: Channel | undefined
  outcome: Outcome
  reason: string | undefined
}
/** A task with its sums over the ledger, and what became of every target where there are few. */
export type TaskFigures = { task: Task; counts: readonly TaskCounts[]; channels: Channels; targets?: TargetResult[] }

export async function fetchFigures(ctx: ApiContext, app: App, task: Task): Promise<TaskFigures> {
  const [counts, channels] = await Promise.all([ctx.store.tasks.counts(task.id), channelsOf(ctx, app)])
  const figures = { task, counts, channels }
  if (counts.reduce((sum, { total }) => sum + total, 0) > SHOWN_TARGETS) return figures
  const { targets } = await resultsOf(ctx, { task, channels }, { limit: SHOWN_TARGETS })
  return { ...figures, targets }
}

/** `outcomes`: only targets of which this became; absent: of all but those that went on by another way. */
export type Wanted = { outcomes?: ReadonlySet<Outcome> | undefined; limit: number; after?: string | undefined }
type Results = { targets: TargetResult[]; cursor?: string }

/** Targets of a task in the order of its chunks; `cursor` where there are more. */
export async function fetchResults(ctx: ApiContext, app: App, task: Task, wanted: Wanted): Promise<Results> {
  return resultsOf(ctx, { task, channels: await channelsOf(ctx, app) }, wanted)
}

type Of = { task: Task; channels: Channels }
type Place = { seq: number; index: number }
type Found = { chunk: Chunk; index: number }

async function resultsOf(ctx: ApiContext, of: Of, wanted: Wanted): Promise<Results> {
  const start = placeOf(wanted.after)
  const found: Found[] = []
  let afterSeq = start.seq - 1
  for (;;) {
    const chunks = await ctx.store.chunks.ofTask(of.task.id, { afterSeq, limit: CHUNKS_PER_READ })
    for (const chunk of chunks) {
      collect(found, chunk, { wanted, from: chunk.seq === start.seq ? start.index : 0 })
      if (found.length > wanted.limit) break
    }
    const last = chunks.at(-1)
    if (!last || found.length > wanted.limit || chunks.length < CHUNKS_PER_READ) break
    afterSeq = last.seq
  }
  const targets = await described(ctx, of, found.slice(0, wanted.limit))
  const next = found[wanted.limit]
  return { targets, ...(next && { cursor: `${next.chunk.seq}.${next.index}` }) }
}

function placeOf(after: string | undefined): Place {
  if (after === undefined) return { seq: 0, index: 0 }
  const found = /^(\d{1,15})\.(\d{1,4})$/.exec(after)
  if (!found) throw new PushError('BAD_PARAMETER', { field: 'cursor', detail: 'was not given by this API' })
  return { seq: Number(found[1]), index: Number(found[2]) }
}

function collect(found: Found[], chunk: Chunk, { wanted, from }: { wanted: Wanted; from: number }): void {
  for (let index = from; index < chunk.members.length && found.length <= wanted.limit; index++) {
    if (isWanted(chunk.outcomes[index] ?? 'unsent', wanted)) found.push({ chunk, index })
  }
}

const isWanted = (outcome: Outcome, { outcomes }: Wanted): boolean =>
  outcomes ? outcomes.has(outcome) : outcome !== 'handedOn'

async function described(ctx: ApiContext, of: Of, found: readonly Found[]): Promise<TargetResult[]> {
  const ids = found.map(({ chunk, index }) => chunk.members[index]?.deviceId)
  const devices = await devicesOf(ctx, ids)
  return found.map(({ chunk, index }) => {
    const member = chunk.members[index]
    const device = devices.get(member?.deviceId ?? '')
    return {
      userId: member?.userId ?? device?.userId ?? '',
      deviceId: device?.deviceId,
      channel: of.channels.get(chunk.channelId ?? ''),
      outcome: chunk.outcomes[index] ?? 'unsent',
      reason: reasonAt(chunk, index),
    }
  })
}

async function devicesOf(ctx: ApiContext, ids: readonly (string | undefined)[]): Promise<Map<string, Device>> {
  const asked = [...new Set(ids.filter((id) => id !== undefined))]
  const devices = asked.length === 0 ? [] : await ctx.store.devices.byIds(asked)
  return new Map(devices.filter((device) => device !== undefined).map((device) => [device.id, device]))
}

const channelsOf = async (ctx: ApiContext, app: App): Promise<Map<string, Channel>> =>
  new Map((await ctx.store.channels.ofApp(app.id)).map((channel) => [channel.id, channel]))

function reasonAt(chunk: Chunk, index: number): string | undefined {
  for (const [reason, members] of Object.entries(chunk.reasons)) if (members.includes(index)) return reason
  return undefined
}
