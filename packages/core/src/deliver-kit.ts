import type { Backoff } from './backoff.ts'
import type { Breaker } from './breaker.ts'
import type { ChannelCache } from './channel-cache.ts'
import type { DeadTokenGate } from './dead-token-gate.ts'
import type { Admission, Leave } from './deliver-admission.ts'
import type { StoreClock } from './deliver-clock.ts'
import type { Heartbeat } from './deliver-held.ts'
import type { Parking } from './deliver-parking.ts'
import type { Turns } from './deliver-turns.ts'
import type { TaskWatch } from './deliver-watch.ts'
import type { Log } from './ports.ts'
import type { Recorder } from './recorder.ts'
import type { Claimed } from './store-ledger.ts'
import type { Channel, Pusher } from './types.ts'

/** Run the job again after so long. */
export type Again = { afterMs: number }
/** Called at each await of the commit path; only tests of crashes set it. */
export type At = (point: string) => void | Promise<void>

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
export type Target = { index: number; id: string; token: string }

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
