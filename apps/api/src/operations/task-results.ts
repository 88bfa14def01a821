import { type App, type Channel, type Chunk, type Device, PushError, type Task } from '@fanfare/core'
import type { ApiContext } from '../context.ts'
import type { PushStatus } from '../wire/status.ts'
import { statusOf } from '../wire/status.ts'
import { type TargetView, targetView, taskDetail } from '../wire/task.ts'

/** Up to so many targets a task shows itself, without asking for its results. */
const SHOWN_TARGETS = 100
const CHUNKS_PER_READ = 10

/** A task with its figures, and with every target's outcome where there are few. */
export async function taskWithFigures(ctx: ApiContext, app: App, task: Task) {
  const [counts, channels] = await Promise.all([ctx.store.tasks.counts(task.id), channelsOf(ctx, app)])
  const detail = taskDetail(task, counts, channels)
  if (detail.planned > SHOWN_TARGETS) return detail
  const { items } = await resultsOf(ctx, { app, task, channels }, { limit: SHOWN_TARGETS })
  return { ...detail, targets: items }
}

type Of = { app: App; task: Task; channels?: ReadonlyMap<string, Channel> }
type Wanted = { status?: PushStatus | undefined; limit: number; after?: string | undefined }
type Place = { seq: number; index: number }
type Found = { chunk: Chunk; index: number }

/** Targets of a task in the order of its chunks, those of one status where it is given; `cursor` where there are more. */
export async function resultsOf(ctx: ApiContext, of: Of, wanted: Wanted) {
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
  const items = await views(ctx, of, found.slice(0, wanted.limit))
  const next = found[wanted.limit]
  return { items, ...(next && { cursor: `${next.chunk.seq}.${next.index}` }) }
}

function placeOf(after: string | undefined): Place {
  if (after === undefined) return { seq: 0, index: 0 }
  const found = /^(\d{1,15})\.(\d{1,4})$/.exec(after)
  if (!found) throw new PushError('BAD_PARAMETER', { field: 'cursor', detail: 'was not given by this API' })
  return { seq: Number(found[1]), index: Number(found[2]) }
}

function collect(found: Found[], chunk: Chunk, { wanted, from }: { wanted: Wanted; from: number }): void {
  for (let index = from; index < chunk.members.length && found.length <= wanted.limit; index++) {
    const status = statusOf(chunk.outcomes[index] ?? 'unsent')
    if (status !== undefined && (wanted.status === undefined || wanted.status === status)) found.push({ chunk, index })
  }
}

async function views(ctx: ApiContext, of: Of, found: readonly Found[]): Promise<TargetView[]> {
  const ids = found.map(({ chunk, index }) => chunk.members[index]?.deviceId)
  const devices = await devicesOf(ctx, ids)
  const channels = of.channels ?? (await channelsOf(ctx, of.app))
  return found.map(({ chunk, index }) => {
    const member = chunk.members[index]
    const device = devices.get(member?.deviceId ?? '')
    const facts = {
      userId: member?.userId ?? device?.userId ?? '',
      deviceId: device?.deviceId,
      channel: channels.get(chunk.channelId ?? ''),
    }
    return targetView(facts, chunk.outcomes[index] ?? 'unsent', reasonAt(chunk, index))
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
