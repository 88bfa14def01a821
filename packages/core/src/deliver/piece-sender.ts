import { MANY, SOME, type Turns } from '../common/turns.ts'
import { ambiguous, batchIdOf, judge } from '../ledger/judge.ts'
import type { At } from '../ports/at.ts'
import type { Later } from '../ports/later.ts'
import type { Batch, PushResult } from '../ports/pusher.ts'
import type { Leave } from '../vendor/admission.ts'
import type { Vendors } from '../vendor/vendors.ts'
import type { Addressee, ChunkWork } from './chunk-work.ts'
import type { ChunkLedger } from './chunk-writes.ts'
import { type Parking, REFUSED_AFTER_MS } from './parking.ts'

export type PieceParts = {
  vendors: Pick<Vendors, 'call' | 'learn' | 'current' | 'admission'>
  turns: Turns
  parking: Parking
  at: At | undefined
}

/** Hands pieces of a chunk to the vendor and puts into the ledger what it answers. */
export class PieceSender {
  /** Set when the vendor asked to slow down or refused the channel: the rest of the chunk waits. */
  stop: Later | undefined
  readonly #parts: PieceParts
  readonly #work: ChunkWork
  readonly #ledger: ChunkLedger

  constructor(parts: PieceParts, work: ChunkWork, ledger: ChunkLedger) {
    this.#parts = parts
    this.#work = work
    this.#ledger = ledger
  }

  async send(piece: readonly Addressee[], leave: Leave): Promise<void> {
    const { vendors, turns, at } = this.#parts
    const { channel, claimed, signal } = this.#work
    await at?.('before-send')
    if (piece.length >= SOME) await turns.next('going', claimed.task.appId)
    const again = (members: number) => this.#again(members)
    const answer = await vendors.call({ channel, batch: this.#batch(piece), leave, again, signal })
    await at?.('after-send')
    if (piece.length >= MANY) await turns.next('going', claimed.task.appId)
    if (answer.is === 'results') this.#take(piece, answer.results)
    else if (answer.is === 'lost') this.#doubt(piece, answer.reason)
    else this.#putOff(piece, answer.reason, answer.is === 'busy' ? answer.afterMs : REFUSED_AFTER_MS)
  }

  async #again(members: number): Promise<Leave | Later> {
    const { vendors } = this.#parts
    const { channel, claimed, pusher } = this.#work
    return vendors.admission.again(await vendors.current(channel), pusher, { members, lane: claimed.chunk.lane })
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

  #take(piece: readonly Addressee[], results: readonly (PushResult | undefined)[]): void {
    const { channel, claimed } = this.#work
    for (const [place, { index }] of piece.entries()) {
      this.#ledger.add(judge(index, results[place], claimed.task.onUnknown))
    }
    this.#parts.vendors.learn(channel, piece, results)
  }

  /** Nothing of the piece was processed; the chunk waits with it. */
  #putOff(piece: readonly Addressee[], reason: string, afterMs: number): void {
    for (const { index } of piece) this.#ledger.add({ again: { index, reason, afterMs, counts: false } })
    this.stop ??= { afterMs: this.#parts.parking.slot(this.#work.channel.id, afterMs) }
  }

  #doubt(piece: readonly Addressee[], reason: string): void {
    for (const { index } of piece) this.#ledger.add(ambiguous(index, reason, this.#work.claimed.task.onUnknown))
  }
}
