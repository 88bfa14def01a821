import { MANY, SOME } from '../common/turns.ts'
import { ambiguous, batchIdOf, judge } from '../ledger/judge.ts'
import type { AskAgain, Batch, PushResult } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Leave } from '../vendor/admission.ts'
import type { SuspectToken } from '../vendor/dead-token-gate.ts'
import type { ChunkLedger } from './chunk-writes.ts'
import type { Addressee, Again, ChunkWork, DeliverKit } from './kit.ts'

/** Where the vendor names no time. */
const BUSY_AFTER_MS = 5000
const REFUSED_AFTER_MS = 2000

/** Hands pieces of a chunk to the vendor and puts what it answers into the ledger, the gate, the breaker, the limiter. */
export class VendorCall {
  /** Set when the vendor asked to slow down or refused the channel: the rest of the chunk waits. */
  stop: Again | undefined
  readonly #kit: DeliverKit
  readonly #work: ChunkWork
  readonly #ledger: ChunkLedger

  constructor(kit: DeliverKit, work: ChunkWork, ledger: ChunkLedger) {
    this.#kit = kit
    this.#work = work
    this.#ledger = ledger
  }

  /** Never rejects: whatever happens is an outcome. */
  async send(piece: readonly Addressee[], leave: Leave): Promise<void> {
    const leaves = [leave]
    const { restMs } = leave
    const answer = () => {
      for (const one of leaves.splice(0)) one.answered()
    }
    try {
      await this.#kit.at?.('before-send')
      if (piece.length >= SOME) await this.#kit.turns.next('going', this.#work.claimed.task.appId)
      const pusher = await this.#kit.pusher(this.#work.channel)
      const again: AskAgain = async (members) => {
        answer()
        const got = await this.#again(members)
        if (!('afterMs' in got)) leaves.push(got)
        return got
      }
      const results = await pusher.push({ ...this.#batch(piece), again, restMs }, this.#work.signal)
      answer()
      await this.#kit.at?.('after-send')
      if (piece.length >= MANY) await this.#kit.turns.next('going', this.#work.claimed.task.appId)
      await this.#take(piece, results)
    } catch (error) {
      answer()
      await this.#failed(piece, error)
    }
  }

  async #again(members: number): Promise<Leave | Again> {
    const { admission, channels } = this.#kit
    const { claimed, pusher } = this.#work
    const channel = (await channels.get(this.#work.channel.id)) ?? this.#work.channel
    return admission.again(channel, pusher, { members, lane: claimed.chunk.lane })
  }

  #batch(piece: readonly Addressee[]): Batch {
    const { chunk, task } = this.#work.claimed
    const indices = piece.map(({ index }) => index)
    return {
      id: batchIdOf(chunk, indices),
      taskId: task.id,
      expiresAt: task.expiresAt,
      message: task.message,
      lane: chunk.lane,
      wantsReply: false,
      members: piece,
    }
  }

  async #take(piece: readonly Addressee[], results: readonly PushResult[]): Promise<void> {
    const { channel, claimed } = this.#work
    const inOrder = results.length === piece.length && piece.every((target, place) => isFor(target, results[place]))
    const byId = inOrder ? undefined : new Map(results.map((result) => [result.id, result]))
    const suspects: SuspectToken[] = []
    let sent = 0
    for (const [place, target] of piece.entries()) {
      const result = byId ? byId.get(target.id) : results[place]
      this.#ledger.add(judge(target.index, result, claimed.task.onUnknown))
      if (result?.outcome === 'sent') sent++
      if (result?.outcome === 'invalid') suspects.push(suspectOf(target, result))
      if (result?.outcome === 'deferred' && result.busy) this.#kit.slowDown(channel, result.afterMs ?? BUSY_AFTER_MS)
    }
    this.#kit.gate.judge(channel, suspects, sent)
    if (results.some(isAnswer)) await this.#kit.breaker.succeeded(channel)
  }

  async #failed(piece: readonly Addressee[], error: unknown): Promise<void> {
    const { channel } = this.#work
    if (error instanceof BusyError) {
      const afterMs = error.afterMs ?? BUSY_AFTER_MS
      this.#putOff(piece, error.reason, afterMs)
      if (error.quotaDay) await this.#quietly(this.#kit.breaker.quotaUsed(channel))
      else this.#kit.slowDown(channel, afterMs)
    } else if (error instanceof ChannelError) {
      this.#putOff(piece, error.reason, REFUSED_AFTER_MS)
      await this.#quietly(this.#kit.breaker.refused(channel, error.reason))
    } else this.#doubt(piece, error)
  }

  /** Nothing of the piece was processed; the chunk waits with it. */
  #putOff(piece: readonly Addressee[], reason: string, afterMs: number): void {
    for (const { index } of piece) this.#ledger.add({ again: { index, reason, afterMs, counts: false } })
    this.stop ??= { afterMs: this.#kit.parking.slot(this.#work.channel.id, afterMs, 2) }
  }

  #doubt(piece: readonly Addressee[], error: unknown): void {
    const { channel, claimed } = this.#work
    const reason = error instanceof Error ? error.message : 'internal error'
    this.#kit.log.warn({ taskId: claimed.task.id, channelId: channel.id, error: reason }, 'push without an answer')
    for (const { index } of piece) this.#ledger.add(ambiguous(index, reason, claimed.task.onUnknown))
  }

  async #quietly(work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) => this.#kit.log.warn({ error: String(error) }, 'the channel was not paused'))
  }
}

const isFor = (target: Addressee, result: PushResult | undefined): boolean => target.id === result?.id

/** Whether the vendor processed it, so that the channel's credentials work. */
const isAnswer = (result: PushResult): boolean =>
  result.outcome === 'sent' || result.outcome === 'invalid' || result.outcome === 'rejected'

function suspectOf({ id, token }: Addressee, result: PushResult & { outcome: 'invalid' }): SuspectToken {
  return { id, token, ...(result.since && { since: result.since }), ...(result.gated && { gated: true }) }
}
