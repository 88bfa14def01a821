import type { ChannelCache } from '../common/channel-cache.ts'
import type { StoreClock } from '../common/store-clock.ts'
import type { Turns } from '../common/turns.ts'
import type { Backoff } from '../ledger/retry.ts'
import type { Channel } from '../nouns/channel.ts'
import type { At } from '../ports/at.ts'
import type { Log } from '../ports/log.ts'
import type { Pusher } from '../ports/pusher.ts'
import type { Claimed } from '../ports/store/chunks.ts'
import type { Admission, Leave } from '../vendor/admission.ts'
import type { Breaker } from '../vendor/breaker.ts'
import type { DeadTokenGate } from '../vendor/dead-token-gate.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { Parking } from './parking.ts'
import type { Recorder } from './recorder.ts'
import type { TaskWatch } from './task-watch.ts'

/** Run the job again after so long. */
export type Again = { afterMs: number }

/** A claimed chunk and what it is sent with. */
export type ChunkWork = {
  claimed: Claimed
  channel: Channel
  pusher: Pusher
  /** Taken before the claim, for the first members. Absent: it was claimed while it waits for its first permit. */
  leave: Leave | undefined
  /** The channel is paused: one request finds out whether it works again. */
  probe: boolean
  signal: AbortSignal
}
/** A member of the chunk: its device and the token that reaches it now. */
export type Addressee = { index: number; id: string; token: string }

/** What the parts of a delivery share over one process. */
export type DeliverKit = {
  recorder: Recorder
  clock: StoreClock
  channels: ChannelCache
  breaker: Breaker
  gate: DeadTokenGate
  admission: Admission
  parking: Parking
  held: Heartbeat
  watch: TaskWatch
  turns: Turns
  log: Log
  leaseMs: number
  retry: Backoff
  /** As `DeviceStore.tokens`. */
  tokens(ids: readonly string[]): Promise<readonly (string | null | undefined)[]>
  taskRate(taskId: string, rate: number, members: number): Promise<number>
  /** The channel's pusher as it is now: a change of the channel retires the one before. */
  pusher(channel: Channel): Promise<Pusher>
  slowDown(channel: Channel, afterMs: number): void
  chunkDone(claimed: Claimed): void
  stopping(): boolean
  at: At | undefined
}
