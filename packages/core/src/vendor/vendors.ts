import type { Channel } from '../nouns/channel.ts'
import { isLater, type Later } from '../ports/later.ts'
import type { Limiter } from '../ports/limiter.ts'
import type { Log } from '../ports/log.ts'
import type { Batch, BatchMember, Pusher, Pushers, PushResult } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Store } from '../ports/store/store.ts'
import { Admission, type Leave } from './admission.ts'
import { Breaker } from './breaker.ts'
import { DeadTokenGate, type SuspectToken } from './dead-token-gate.ts'

export type VendorsOptions = {
  store: {
    channels: Pick<Store['channels'], 'update'>
    devices: Pick<Store['devices'], 'markInvalid'>
    lease: Store['lease']
  }
  pushers: Pushers
  /** Absent where one process alone sends (examples): then no limit is kept. */
  limiter?: Limiter
  log?: Log
  /** Names this process among others. */
  holder: string
  /** By the store's clock. */
  now: () => number
  /** The channel as it is now; undefined where it went. */
  channelOf(id: string): Promise<Channel | undefined> | Channel | undefined
  /** As `BreakerOptions.onChange`. */
  onChange?: (channelId: string) => void
  /** How often a channel whose credentials were refused is tried again. */
  probeEveryMs?: number
}

/** One request, and what it goes with: a leave for its members, and how to get one for members that are sent again. */
export type VendorCall = {
  channel: Channel
  batch: Batch
  leave: Leave
  again(members: number): Promise<Leave | Later>
  signal: AbortSignal
}

/**
 * `results`: one per member, in their order; undefined where the vendor said nothing of it. `busy` and `refused`: nothing of
 * the batch was processed. `lost`: nobody knows what was.
 */
export type VendorAnswer =
  | { is: 'results'; results: readonly (PushResult | undefined)[] }
  | { is: 'busy'; reason: string; afterMs: number }
  | { is: 'refused'; reason: string }
  | { is: 'lost'; reason: string }

/** Where the vendor names no time. */
const BUSY_AFTER_MS = 5000
const NO_LOG: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** The vendors as a process meets them: who may ask them, and what their answers tell of channels, accounts and tokens. */
export class Vendors {
  readonly admission: Admission
  readonly breaker: Breaker
  readonly #gate: DeadTokenGate
  readonly #options: VendorsOptions
  readonly #log: Log

  constructor(options: VendorsOptions) {
    const { store, limiter, holder, now, onChange, probeEveryMs, log = NO_LOG } = options
    this.#options = options
    this.#log = log
    this.#gate = new DeadTokenGate({ store, log })
    const more = { ...(onChange && { onChange }), ...(probeEveryMs && { probeEveryMs }) }
    this.breaker = new Breaker({ store, log, holder, now, ...more })
    this.admission = new Admission(this.breaker, limiter)
  }

  /** The channel as it is now; as it was known where it went, or where this process has only heard of an older one. */
  async current(channel: Channel): Promise<Channel> {
    const now = await this.#options.channelOf(channel.id)
    return now && now.updatedAt >= channel.updatedAt ? now : channel
  }

  /** The channel's pusher as it is now: a change of the channel retires the one before. */
  async pusher(channel: Channel): Promise<Pusher> {
    return this.#options.pushers.for(await this.current(channel))
  }

  /**
   * Hands a batch to the vendor and tells limiter and breaker what its answer means for them. Never rejects. What results
   * say of tokens is for `learn`.
   */
  async call({ channel, batch, leave, again, signal }: VendorCall): Promise<VendorAnswer> {
    const leaves = [leave]
    const answered = () => {
      for (const one of leaves.splice(0)) one.answered()
    }
    const askAgain = async (members: number): Promise<Leave | Later> => {
      answered()
      const got = await again(members)
      if (!isLater(got)) leaves.push(got)
      return got
    }
    try {
      const pusher = await this.pusher(channel)
      const results = await pusher.push({ ...batch, again: askAgain, restMs: leave.restMs }, signal)
      for (const result of results) {
        if (result.outcome === 'deferred' && result.busy) this.#slowDown(channel, result.afterMs)
      }
      return { is: 'results', results: inOrder(batch.members, results) }
    } catch (error) {
      return this.#failed(channel, batch, error)
    } finally {
      // Only now: whoever gets the next permit must find the account slowed down.
      answered()
    }
  }

  /** What results tell of the members' tokens and of the channel's credentials. */
  learn(channel: Channel, members: readonly BatchMember[], results: readonly (PushResult | undefined)[]): void {
    const suspects: SuspectToken[] = []
    let sent = 0
    let isAnswered = false
    for (const [place, result] of results.entries()) {
      if (result === undefined) continue
      if (result.outcome === 'sent') sent++
      if (result.outcome === 'invalid') suspects.push(suspectOf(members[place] as BatchMember, result))
      isAnswered ||= isAnswer(result)
    }
    this.#gate.judge(channel, suspects, sent)
    if (isAnswered) this.#quietly(this.breaker.succeeded(channel))
  }

  /** The channel cannot be opened. */
  refused(channel: Channel, reason: string): void {
    this.#quietly(this.breaker.refused(channel, reason))
  }

  /** Decides what still waits. */
  close(): void {
    this.#gate.close()
  }

  #failed(channel: Channel, { taskId }: Batch, error: unknown): VendorAnswer {
    if (error instanceof BusyError) {
      if (error.quotaDay) this.#quietly(this.breaker.quotaUsed(channel))
      else this.#slowDown(channel, error.afterMs)
      return { is: 'busy', reason: error.reason, afterMs: error.afterMs ?? BUSY_AFTER_MS }
    }
    if (error instanceof ChannelError) {
      this.refused(channel, error.reason)
      return { is: 'refused', reason: error.reason }
    }
    const reason = error instanceof Error ? error.message : 'internal error'
    this.#log.warn({ taskId, channelId: channel.id, error: reason }, 'push without an answer')
    return { is: 'lost', reason }
  }

  #slowDown(channel: Channel, afterMs = BUSY_AFTER_MS): void {
    void this.#options.limiter?.slowDown(channel, afterMs)
  }

  /** The answer does not wait for the store. */
  #quietly(telling: Promise<void>): void {
    telling.catch((error: unknown) => this.#log.warn({ err: String(error) }, "a channel's state was not written"))
  }
}

/** Pushers answer in the order of the members; whoever does not is put right. */
function inOrder(members: readonly BatchMember[], results: readonly PushResult[]): readonly (PushResult | undefined)[] {
  if (results.length === members.length && members.every(({ id }, place) => results[place]?.id === id)) return results
  const byId = new Map(results.map((result) => [result.id, result]))
  return members.map(({ id }) => byId.get(id))
}

/** Whether the vendor processed it, so that the channel's credentials work. */
const isAnswer = ({ outcome }: PushResult): boolean =>
  outcome === 'sent' || outcome === 'invalid' || outcome === 'rejected'

function suspectOf({ id, token }: BatchMember, result: PushResult & { outcome: 'invalid' }): SuspectToken {
  return { id, token, ...(result.since && { since: result.since }), ...(result.gated && { gated: true }) }
}
