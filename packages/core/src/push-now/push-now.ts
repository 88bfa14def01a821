import { acceptError, StoreDownError } from '../common/errors.ts'
import { SENTENCES } from '../ledger/sentences.ts'
import { writeLedger } from '../ledger/write.ts'
import type { Outcome } from '../nouns/chunk.ts'
import { LEASE_MS } from '../nouns/defaults.ts'
import type { Device } from '../nouns/device.ts'
import type { Message } from '../nouns/message.ts'
import type { OnUnknown, Route } from '../nouns/task.ts'
import type { CreateResult, Idempotency, NewChunk, NewTask, Taken } from '../ports/store/tasks.ts'
import type { SyncPlace } from '../ports/sync-places.ts'
import { chunksOfUsers } from '../tasks/chunks-of-users.ts'
import { newTask } from '../tasks/new-task.ts'
import { targetsOf } from '../tasks/targets.ts'
import { type NowResult, type Part, type PushNowContext, type Run, sendNow } from './send-now.ts'

/** A synchronous push answers within this; what is not known by then is `unknown` (docs/wire-api.md §1.4b). */
export const SYNC_DEADLINE_MS = 8000

export type NowPush = {
  appId: string
  userId: string
  message: Message
  route: Route
  onUnknown?: OnUnknown
  idempotency?: Idempotency
  deadlineMs?: number
  ttlMs?: number
}

export type NowAnswer = { taskId: string; results: NowResult[] } | { taken: Taken }

/**
 * A synchronous push: task and claimed chunks are written, then the vendors are called, then the outcomes are written
 * (docs/design.md §6). Answers one result per device. It is never sent again: a chunk whose lease passes becomes
 * `unknown`. Rejects with StoreDownError, or PushError OUTCOME_UNKNOWN, only when nothing was sent, and with another
 * PushError where no place was free.
 */
export async function pushNow(ctx: PushNowContext, push: NowPush): Promise<NowAnswer> {
  const deadlineMs = push.deadlineMs ?? SYNC_DEADLINE_MS
  const until = { signal: AbortSignal.timeout(deadlineMs), endsAt: performance.now() + deadlineMs }
  const targets = await targetsOf(ctx.store.devices, push.appId, [push.userId])
  const { devices = [], exists = false } = targets[0] ?? {}
  const chunks = chunksOfUsers(targets)
  const channelIds = chunks.flatMap(({ channelId }) => channelId ?? [])
  const places = ctx.syncPlaces?.enter(push.appId, channelIds) ?? []
  try {
    return await inPlaces(ctx, push, { devices, exists, chunks, places, until })
  } finally {
    for (const place of places) place.leave()
  }
}

type Found = {
  devices: readonly Device[]
  exists: boolean
  chunks: readonly NewChunk[]
  /** Of the chunks in their order. */
  places: readonly SyncPlace[]
  until: Pick<Run, 'signal' | 'endsAt'>
}

async function inPlaces(ctx: PushNowContext, push: NowPush, found: Found): Promise<NowAnswer> {
  const { devices, exists, chunks, until } = found
  const createdAt = new Date(ctx.clock?.now() ?? Date.now())
  const id = await ctx.ids.next()
  const { appId, userId, message, route, onUnknown, ttlMs } = push
  const audience = { kind: 'users', userIds: [userId] } as const
  const task = newTask({ id, appId, lane: 'sync', audience, message, route, onUnknown, ttlMs, createdAt }, chunks)
  const parts = await partsOf(ctx, found)
  await ctx.at?.('before-commit')
  const created = await accept(ctx, {
    task,
    chunks: chunks.map(claimed),
    ...(push.idempotency && { idempotency: push.idempotency }),
  })
  if (created !== 'created') return created
  await ctx.at?.('after-commit')
  if (devices.length === 0) {
    return {
      taskId: task.id,
      results: [{ outcome: 'rejected', reason: exists ? SENTENCES.noBinding : SENTENCES.noUser }],
    }
  }
  const run = { ctx, task, ...until }
  const results = (await Promise.all(parts.map((part) => sendPart(run, part)))).flat()
  await finish(run)
  return { taskId: task.id, results }
}

async function accept(ctx: PushNowContext, item: NewTask): Promise<CreateResult> {
  try {
    const [created] = await ctx.store.tasks.create([item])
    if (created === undefined) throw new StoreDownError('no answer to create')
    return created
  } catch (error) {
    throw acceptError(error)
  }
}

/** Written as if this process had claimed it: no worker takes it while the lease holds. */
const claimed = (chunk: NewChunk): NewChunk =>
  chunk.state === 'done'
    ? chunk
    : {
        ...chunk,
        state: 'sending',
        fence: 1,
        starts: 1,
        started: chunk.members.length,
        leaseMs: LEASE_MS,
      }

async function partsOf(ctx: PushNowContext, { chunks, devices, places }: Found): Promise<Part[]> {
  const channels = await ctx.store.channels.byIds(chunks.map((chunk) => chunk.channelId ?? ''))
  const byId = new Map(devices.map((device) => [device.id, device]))
  return chunks.map((chunk, index) => ({
    channel: channels[index],
    place: places[index],
    seq: chunk.seq,
    devices: chunk.members.flatMap((member) => byId.get(member.deviceId ?? '') ?? []),
  }))
}

async function sendPart(run: Run, part: Part): Promise<NowResult[]> {
  await run.ctx.at?.('before-send')
  const results = await sendNow(run, part)
  part.place?.leave()
  await run.ctx.at?.('after-send')
  return (await record(run, part, results)) ? results : onRecord(run, part)
}

/**
 * The vendor has answered. False where the chunk is no longer this process's: its lease passed, and what the ledger says
 * by now stays. What cannot be written for now becomes `unknown` in the ledger when the lease passes.
 */
async function record(run: Run, part: Part, results: readonly NowResult[]): Promise<boolean> {
  const outcomes = results.map((result, index): [number, Outcome, string?] =>
    result.reason === undefined ? [index, result.outcome] : [index, result.outcome, result.reason],
  )
  try {
    const item = { taskId: run.task.id, seq: part.seq, fence: 1, outcomes, state: 'done' as const }
    const [held] = await writeLedger((writes) => run.ctx.store.chunks.write(writes), [item], run.ctx.log)
    await run.ctx.at?.('after-record')
    return held !== false
  } catch (error) {
    run.ctx.log?.warn({ taskId: run.task.id, err: String(error) }, 'outcomes of a synchronous push were not written')
    return true
  }
}

/** What the ledger says of the part, which is then what the caller is told. */
async function onRecord(run: Run, part: Part): Promise<NowResult[]> {
  const [chunk] = await run.ctx.store.chunks.byRefs([{ taskId: run.task.id, seq: part.seq }]).catch(() => [])
  const reasons = Object.entries(chunk?.reasons ?? {})
  return part.devices.map((device, index): NowResult => {
    const outcome = chunk?.outcomes[index] ?? 'unknown'
    const [reason] = reasons.find(([, indices]) => indices.includes(index)) ?? [
      outcome === 'sent' ? undefined : NO_RECORD,
    ]
    return { deviceId: device.id, outcome, ...(reason !== undefined && { reason }) }
  })
}

const NO_RECORD = 'the outcome was not recorded in time'

async function finish(run: Run): Promise<void> {
  try {
    await run.ctx.store.tasks.finish([run.task.id])
  } catch (error) {
    run.ctx.log?.warn({ taskId: run.task.id, err: String(error) }, 'a synchronous task was not finished')
  }
}
