import type { Channel } from '../nouns/channel.ts'
import type { Pusher } from '../ports/pusher.ts'
import type { Claimed } from '../ports/store/chunks.ts'
import type { Leave } from '../vendor/admission.ts'

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
