import { setTimeout as sleep } from 'node:timers/promises'
import type { Ids } from '../common/ids.ts'
import type { Channel } from '../nouns/channel.ts'
import type { Outcome } from '../nouns/chunk.ts'
import type { Device } from '../nouns/device.ts'
import type { Pause } from '../nouns/pause.ts'
import type { Task } from '../nouns/task.ts'
import type { Limiter, Permit } from '../ports/limiter.ts'
import type { Log } from '../ports/log.ts'
import type { AskAgain, Batch, Pushers, PushResult } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Store } from '../ports/store/store.ts'
import type { SyncPlace, SyncPlaces } from '../ports/sync-places.ts'
import type { Breaker } from '../vendor/breaker.ts'
import type { DeadTokenGate, SuspectToken } from '../vendor/dead-token-gate.ts'

/** The longest pause between two questions to the limiter while a synchronous push waits for its permit. */
const PERMIT_STEP_MS = 1000
const NO_PLACE_AFTER_MS = 50

export type PushNowContext = {
  store: Pick<Store, 'devices' | 'channels' | 'tasks' | 'chunks'>
  pushers: Pushers
  ids: Ids
  /** Absent where one process alone sends (examples): then no limit is kept. */
  limiter?: Limiter
  /** Absent where nobody else sends (examples). */
  syncPlaces?: SyncPlaces
  log?: Log
  /** The store's; absent where the store runs on this machine (examples). */
  clock?: { now(): number }
  /** Decides which tokens are given up; without it none is (examples). */
  gate?: DeadTokenGate
  /** Pauses a channel whose credentials are refused. */
  breaker?: Pick<Breaker, 'succeeded' | 'refused' | 'quotaUsed'>
  at?: (point: string) => void | Promise<void>
}
/** What became of one device; of a user without a device there is one element without `deviceId`. */
export type NowResult = { deviceId?: string; outcome: Outcome; reason?: string; reply?: unknown }
/** `endsAt`: when `signal` aborts, by `performance.now()`. */
export type Run = { ctx: PushNowContext; task: Task; signal: AbortSignal; endsAt: number }
export type Part = { channel: Channel | undefined; seq: number; devices: Device[]; place?: SyncPlace | undefined }

type OpenPart = Part & { channel: Channel }

/** Hands one channel's devices of a synchronous push to the vendor; answers one result per device, never rejects. */
export async function sendNow(run: Run, part: Part): Promise<NowResult[]> {
  const { channel, devices } = part
  if (!channel) return all(devices, 'rejected', 'no notifier exist')
  if (channel.pause !== undefined) return all(devices, 'rejected', pausedReason(channel.pause))
  try {
    const { batchSize } = await run.ctx.pushers.for(channel)
    return await sendInSteps(run, { ...part, channel }, batchSize)
  } catch (error) {
    return failed(run, { ...part, channel }, error)
  }
}

/** A channel that the breaker stopped has bad credentials; one that its app stopped is just off (docs/wire-api.md §6.3). */
const pausedReason = ({ by }: Pause): string => (by === 'credentials' ? 'invalid notifier' : 'notifier disabled')

/** In one step where the limiter gives leave for all, else in as many as it takes. */
async function sendInSteps(run: Run, part: OpenPart, batchSize: number): Promise<NowResult[]> {
  const results: NowResult[] = []
  while (results.length < part.devices.length) {
    const rest = part.devices.slice(results.length)
    // A request has a permit of its own: a vendor that takes batches gets no more than one of them with each.
    const most = batchSize > 1 ? Math.min(batchSize, rest.length) : rest.length
    const permit = await permitFor(run, part, most, batchSize)
    if (!permit) return [...results, ...all(rest, 'unknown', NO_PERMIT)]
    const members = rest.slice(0, Math.min(most, membersOf(part.channel, permit.units, batchSize)))
    const permits = permitsOf(run, part, { first: permit, batchSize })
    try {
      results.push(...(await sendOnce(run, { ...part, devices: members }, permits)))
    } catch (error) {
      results.push(...(await failed(run, { ...part, devices: members }, error)))
    } finally {
      permits.answered()
    }
  }
  return results
}

const NO_PERMIT = 'rate limit: no permit within the deadline'

/** The permits of one batch: what it came with, and one for each further request. */
function permitsOf(run: Run, part: OpenPart, { first, batchSize }: { first: Permit; batchSize: number }) {
  const open = [first]
  const answered = (): void => {
    for (const permit of open.splice(0)) permit.answered()
  }
  const again: AskAgain = async (members) => {
    answered()
    const permit = await permitFor(run, part, members, batchSize)
    if (!permit) return { afterMs: 0 }
    open.push(permit)
    return { members: Math.min(members, membersOf(part.channel, permit.units, batchSize)) }
  }
  return { again, answered, restMs: () => first.restMs?.() ?? 0 }
}

const unitsOf = (channel: Channel, members: number, batchSize: number): number =>
  channel.limits.unit === 'token' ? members : Math.ceil(members / batchSize)
const membersOf = (channel: Channel, units: number, batchSize: number): number =>
  channel.limits.unit === 'token' ? units : units * batchSize

const FREE: Permit = { units: Number.MAX_SAFE_INTEGER, answered: () => undefined, unused: () => undefined }

/**
 * Undefined where none can come before the deadline. Who waits for one leaves its place at the vendor to others, and takes
 * the permit only with a place to use it.
 */
async function permitFor(run: Run, part: OpenPart, members: number, batchSize: number): Promise<Permit | undefined> {
  if (!run.ctx.limiter) return FREE
  const { channel, place } = part
  const ask = { units: unitsOf(channel, members, batchSize), least: 1, lane: 'sync' as const }
  while (!run.signal.aborted) {
    const got = await run.ctx.limiter.take(channel, ask)
    if (!('afterMs' in got)) {
      if (!place || place.resume()) return got
      got.unused()
    }
    const afterMs = 'afterMs' in got ? got.afterMs : NO_PLACE_AFTER_MS
    if (performance.now() + afterMs > run.endsAt) return undefined
    place?.rest()
    await sleep(Math.min(Math.max(afterMs, 1), PERMIT_STEP_MS), undefined, { signal: run.signal }).catch(() => 0)
  }
  return undefined
}

async function sendOnce(
  run: Run,
  part: OpenPart,
  { again, restMs }: Pick<Batch, 'again' | 'restMs'>,
): Promise<NowResult[]> {
  const { task, signal, ctx } = run
  const batch = {
    id: `${task.id}-${part.seq}`,
    taskId: task.id,
    expiresAt: task.expiresAt,
    message: task.message,
    lane: 'sync' as const,
    wantsReply: true,
    members: part.devices,
    ...(again && { again }),
    ...(restMs && { restMs }),
  }
  // As it is now: a change of the channel, heard of while the permit was waited for, retires the one before.
  const pusher = await ctx.pushers.for(part.channel)
  const results = await Promise.race([pusher.push(batch, signal), aborted(signal)])
  judge(ctx, part, results)
  const byId = new Map(results.map((result) => [result.id, result]))
  return part.devices.map((device) => toNowResult(device.id, byId.get(device.id)))
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => setTimeout(() => reject(new Error('timeout: no answer within the deadline')), 250).unref()
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

function toNowResult(deviceId: string, result: PushResult | undefined): NowResult {
  if (!result) return { deviceId, outcome: 'unknown', reason: 'the vendor answered nothing for this device' }
  const reply = result.reply === undefined ? {} : { reply: result.reply }
  if (result.outcome === 'sent') return { deviceId, outcome: 'sent', ...reply }
  const outcome = result.outcome === 'deferred' ? 'unknown' : result.outcome
  return { deviceId, outcome, reason: result.reason, ...reply }
}

async function failed(run: Run, part: OpenPart, error: unknown): Promise<NowResult[]> {
  if (error instanceof ChannelError) {
    told(run.ctx, run.ctx.breaker?.refused(part.channel, error.reason))
    return all(part.devices, 'rejected', 'invalid notifier')
  }
  if (error instanceof BusyError) {
    if (error.quotaDay) told(run.ctx, run.ctx.breaker?.quotaUsed(part.channel))
    if (error.afterMs) void run.ctx.limiter?.slowDown(part.channel, error.afterMs)
    return all(part.devices, 'unknown', error.reason)
  }
  run.ctx.log?.warn({ taskId: run.task.id, channelId: part.channel.id, err: String(error) }, 'synchronous push failed')
  return all(part.devices, 'unknown', error instanceof Error ? error.message : 'internal error')
}

const all = (devices: readonly Device[], outcome: Outcome, reason: string): NowResult[] =>
  devices.map((device) => ({ deviceId: device.id, outcome, reason }))

/** What was learnt of tokens and credentials; the answer does not wait for it. */
function judge(ctx: PushNowContext, part: OpenPart, results: readonly PushResult[]): void {
  const byId = new Map(part.devices.map((device) => [device.id, device]))
  const suspects: SuspectToken[] = []
  for (const result of results) {
    const device = byId.get(result.id)
    if (result.outcome !== 'invalid' || !device) continue
    const { since, gated } = result
    suspects.push({ id: device.id, token: device.token, ...(since && { since }), ...(gated && { gated }) })
  }
  const sent = results.filter((result) => result.outcome === 'sent').length
  ctx.gate?.judge(part.channel, suspects, sent)
  if (sent > 0) told(ctx, ctx.breaker?.succeeded(part.channel))
}

function told(ctx: PushNowContext, telling: Promise<void> | undefined): void {
  telling?.catch((error: unknown) => ctx.log?.warn({ err: String(error) }, "a channel's state was not written"))
}
