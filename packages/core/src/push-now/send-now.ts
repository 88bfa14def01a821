import { setTimeout as sleep } from 'node:timers/promises'
import type { Ids } from '../common/ids.ts'
import { SENTENCES } from '../ledger/sentences.ts'
import type { Channel } from '../nouns/channel.ts'
import type { Outcome } from '../nouns/chunk.ts'
import type { Device } from '../nouns/device.ts'
import type { Pause } from '../nouns/pause.ts'
import type { Task } from '../nouns/task.ts'
import { isLater, type Later } from '../ports/later.ts'
import type { Log } from '../ports/log.ts'
import type { Batch, Pusher, PushResult } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Store } from '../ports/store/store.ts'
import type { SyncPlace, SyncPlaces } from '../ports/sync-places.ts'
import type { Leave } from '../vendor/admission.ts'
import type { VendorAnswer, Vendors } from '../vendor/vendors.ts'

/** The longest pause between two questions to the limiter while a synchronous push waits for its permit. */
const PERMIT_STEP_MS = 1000
const NO_PLACE_AFTER_MS = 50
/** A pusher ends at the signal; one that does not is left alone after this. */
const END_MS = 250

export type PushNowContext = {
  store: Pick<Store, 'devices' | 'channels' | 'tasks' | 'chunks'>
  vendors: Vendors
  ids: Ids
  /** Absent where nobody else sends (examples). */
  syncPlaces?: SyncPlaces
  log?: Log
  /** The store's; absent where the store runs on this machine (examples). */
  clock?: { now(): number }
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
  if (!channel) return all(devices, 'rejected', SENTENCES.noChannel)
  if (channel.pause !== undefined) return all(devices, 'rejected', pausedReason(channel.pause))
  try {
    const pusher = await run.ctx.vendors.pusher(channel)
    return await sendInSteps(run, { ...part, channel }, pusher)
  } catch (error) {
    return unopened(run, { ...part, channel }, error)
  }
}

/** A channel that the breaker stopped has bad credentials; one that its app stopped is just off (docs/wire-api.md §6.3). */
const pausedReason = ({ by }: Pause): string => (by === 'credentials' ? INVALID : 'notifier disabled')
const INVALID = 'invalid notifier'
const NO_PERMIT = 'rate limit: no permit within the deadline'

function unopened(run: Run, { channel, devices }: OpenPart, error: unknown): NowResult[] {
  if (error instanceof BusyError) return all(devices, 'unknown', error.reason)
  if (error instanceof ChannelError) {
    run.ctx.vendors.refused(channel, error.reason)
    return all(devices, 'rejected', INVALID)
  }
  run.ctx.log?.warn({ taskId: run.task.id, channelId: channel.id, err: String(error) }, 'synchronous push failed')
  return all(devices, 'unknown', error instanceof Error ? error.message : 'internal error')
}

/** In one step where there is leave for all, else in as many as it takes. */
async function sendInSteps(run: Run, part: OpenPart, pusher: Pusher): Promise<NowResult[]> {
  const results: NowResult[] = []
  while (results.length < part.devices.length) {
    const rest = part.devices.slice(results.length)
    const leave = await leaveFor(run, part, pusher, rest.length)
    if (typeof leave === 'string') return [...results, ...without(rest, leave)]
    results.push(...(await sendOnce(run, { ...part, devices: rest.slice(0, leave.members) }, { pusher, leave })))
  }
  return results
}

/** As a step does, or why there is none: NO_PERMIT or why the channel was paused meanwhile. */
async function leaveFor(run: Run, part: OpenPart, pusher: Pusher, members: number): Promise<Leave | string> {
  const { vendors } = run.ctx
  const onWait = () => part.place?.rest()
  return patiently(run, part, (channel) =>
    vendors.admission.ask(channel, pusher, { members, lane: 'sync', begun: true, onWait }),
  )
}

const without = (devices: readonly Device[], reason: string): NowResult[] =>
  all(devices, reason === NO_PERMIT ? 'unknown' : 'rejected', reason)

/**
 * Asks until there is leave, or answers why none can come before the deadline. Who waits for one leaves its place at the
 * vendor to others, and takes the leave only with a place to use it.
 */
async function patiently(
  run: Run,
  { channel: known, place }: OpenPart,
  ask: (channel: Channel) => Promise<Leave | Later>,
): Promise<Leave | string> {
  for (let channel = known; !run.signal.aborted; channel = await run.ctx.vendors.current(known)) {
    if (channel.pause !== undefined) return pausedReason(channel.pause)
    const got = await ask(channel)
    if (!isLater(got)) {
      if (!place || place.resume()) return got
      got.unused()
    }
    const afterMs = isLater(got) ? got.afterMs : NO_PLACE_AFTER_MS
    if (performance.now() + afterMs > run.endsAt) return NO_PERMIT
    place?.rest()
    await sleep(Math.min(Math.max(afterMs, 1), PERMIT_STEP_MS), undefined, { signal: run.signal }).catch(() => 0)
  }
  return NO_PERMIT
}

async function sendOnce(run: Run, part: OpenPart, on: { pusher: Pusher; leave: Leave }): Promise<NowResult[]> {
  const { ctx, signal } = run
  const { channel, devices } = part
  const { admission } = ctx.vendors
  const again = async (members: number): Promise<Leave | Later> => {
    const got = await patiently(run, part, (now) => admission.again(now, on.pusher, { members, lane: 'sync' }))
    return typeof got === 'string' ? { afterMs: 0 } : got
  }
  const call = ctx.vendors.call({ channel, batch: batchOf(run, part), leave: on.leave, again, signal })
  const answer = await Promise.race([call, overdue(signal)])
  if (answer.is === 'results') ctx.vendors.learn(channel, devices, answer.results)
  return devices.map((device, place) => toNowResult(device.id, answer, place))
}

const batchOf = ({ task }: Run, { seq, devices }: OpenPart): Batch => ({
  id: `${task.id}-${seq}`,
  taskId: task.id,
  expiresAt: task.expiresAt,
  message: task.message,
  lane: 'sync',
  wantsReply: true,
  members: devices,
})

function overdue(signal: AbortSignal): Promise<VendorAnswer> {
  return new Promise((resolve) => {
    const late = () => resolve({ is: 'lost', reason: 'timeout: no answer within the deadline' })
    const stop = () => setTimeout(late, END_MS).unref()
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

function toNowResult(deviceId: string, answer: VendorAnswer, place: number): NowResult {
  if (answer.is === 'results') return toResult(deviceId, answer.results[place])
  if (answer.is === 'refused') return { deviceId, outcome: 'rejected', reason: INVALID }
  return { deviceId, outcome: 'unknown', reason: answer.reason }
}

function toResult(deviceId: string, result: PushResult | undefined): NowResult {
  if (!result) return { deviceId, outcome: 'unknown', reason: SENTENCES.noAnswer }
  const reply = result.reply === undefined ? {} : { reply: result.reply }
  if (result.outcome === 'sent') return { deviceId, outcome: 'sent', ...reply }
  const outcome = result.outcome === 'deferred' ? 'unknown' : result.outcome
  return { deviceId, outcome, reason: result.reason, ...reply }
}

const all = (devices: readonly Device[], outcome: Outcome, reason: string): NowResult[] =>
  devices.map((device) => ({ deviceId: device.id, outcome, reason }))
