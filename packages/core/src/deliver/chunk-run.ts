import { SOME } from '../common/turns.ts'
import { openMembers } from '../ledger/judge.ts'
import { MAX_STARTS } from '../ledger/retry.ts'
import { SENTENCES } from '../ledger/sentences.ts'
import { isLater, type Later } from '../ports/later.ts'
import type { Leave } from '../vendor/admission.ts'
import { mostMembers } from '../vendor/units.ts'
import type { Addressee, ChunkWork } from './chunk-work.ts'
import { ChunkLedger, type LedgerParts, type Stop } from './chunk-writes.ts'
import type { Heartbeat, Hold } from './heartbeat.ts'
import { type PieceParts, PieceSender } from './piece-sender.ts'
import type { TaskWatch } from './task-watch.ts'

/** Members of one chunk with the vendor at once, and how far ahead of the sends `started` is marked. */
const MAX_IN_FLIGHT = 200
export const WINDOW = 100
/** Of chunks that were under way when their channel was paused. */
const HANDED_BACK_AFTER_MS = 5000
const HANDED_BACK_SPACING_MS = 20

export type RunParts = LedgerParts &
  PieceParts & {
    held: Heartbeat
    watch: TaskWatch
    /** As `DeviceStore.tokens`. */
    tokens(ids: readonly string[]): Promise<readonly (string | null | undefined)[]>
    /** As `TaskRate.take`. */
    taskRate(taskId: string, rate: number, members: number): Promise<number>
    stopping(): boolean
  }

/** Sends one claimed chunk: window after window, each marked before it is sent (docs/reliability.md §3.2). */
export class ChunkRun {
  readonly #parts: RunParts
  readonly #work: ChunkWork
  readonly #hold: Hold
  readonly #ledger: ChunkLedger
  readonly #sender: PieceSender
  readonly #indices: readonly number[]
  readonly #retrying: boolean
  readonly #flying = new Set<Promise<void>>()
  #inFlight = 0
  #leave: Leave | undefined
  #started: number
  #stop: Stop | undefined

  constructor(parts: RunParts, work: ChunkWork) {
    const { chunk } = work.claimed
    const { indices, waiting, retrying } = openMembers(chunk)
    this.#parts = parts
    this.#work = work
    this.#leave = work.leave
    this.#started = chunk.started
    this.#indices = indices
    this.#retrying = retrying
    this.#ledger = new ChunkLedger(parts, work.claimed, waiting)
    this.#sender = new PieceSender(parts, work, this.#ledger)
    this.#hold = { taskId: chunk.taskId, seq: chunk.seq, fence: chunk.fence, renewedAt: performance.now(), lost: false }
  }

  /** Answers when the job is to run again; undefined where there is nothing left for it to do. */
  async run(): Promise<Later | undefined> {
    const { chunk, task } = this.#work.claimed
    if (chunk.starts > MAX_STARTS) return this.#poison()
    const watched = chunk.lane === 'bulk'
    this.#parts.held.add(this.#hold)
    if (watched) this.#parts.watch.enter(task)
    try {
      const targets = await this.#targets()
      const sent = await this.#sendAll(targets)
      await Promise.all(this.#flying)
      // A lease renewed after the last write would take the chunk back from whoever it was handed to.
      this.#parts.held.remove(this.#hold)
      const unsent = targets.slice(sent).map(({ index }) => index)
      return await this.#ledger.end(this.#stop ?? this.#sender.stop, unsent)
    } finally {
      this.#ledger.close()
      this.#leave?.unused()
      this.#parts.held.remove(this.#hold)
      if (watched) this.#parts.watch.leave(task.id)
    }
  }

  #poison(): undefined {
    const { taskId, seq, starts } = this.#work.claimed.chunk
    this.#parts.log.error({ alert: 'poison', taskId, seq, starts }, 'chunk began too often without an end, not sent')
    this.#leave?.unused()
  }

  /** The members to send to with their tokens as they are now; those whose device went are recorded as such. */
  async #targets(): Promise<Addressee[]> {
    const { members } = this.#work.claimed.chunk
    const ids = this.#indices.map((index) => members[index]?.deviceId ?? '')
    if (ids.length >= SOME) await this.#parts.turns.next('going', this.#work.claimed.task.appId)
    const tokens = await this.#parts.tokens(ids)
    const targets: Addressee[] = []
    for (const [place, index] of this.#indices.entries()) {
      const token = tokens[place]
      if (token) targets.push({ index, id: ids[place] ?? '', token })
      else if (token === null) this.#ledger.add({ write: [index, 'invalid', SENTENCES.deadToken] })
      else this.#ledger.add({ write: [index, 'rejected', SENTENCES.noBinding] })
    }
    return targets
  }

  /** Answers how many of the targets were sent. */
  async #sendAll(targets: readonly Addressee[]): Promise<number> {
    let sent = 0
    while (sent < targets.length && (await this.#goesOn())) {
      const next = targets.slice(sent, sent + this.#mostMembers())
      // Before the permit, which nobody could use while the mark is written. A retry marks just those it may send.
      if (!this.#retrying && !(await this.#markAhead(next))) break
      const leave = await this.#permitted(targets.length - sent)
      if (!leave) break
      const piece = next.slice(0, leave.members)
      if (this.#retrying && !(await this.#markRetried(piece))) {
        leave.unused()
        break
      }
      sent += piece.length
      this.#fly(piece, leave)
    }
    return sent
  }

  /** Looked at before every piece: a lease lost, a task cancelled, a store away, a process that is ending. */
  async #goesOn(): Promise<boolean> {
    while (this.#inFlight >= MAX_IN_FLIGHT) await Promise.race(this.#flying)
    const { task } = this.#work.claimed
    const { state } = this.#parts.watch.of(task)
    if (this.#hold.lost || this.#ledger.lost) this.#stop = 'zombie'
    else if (state === 'cancelled' || state === 'failed') this.#stop = 'cancelled'
    else if (state === 'paused') this.#stop = 'paused'
    else if (this.#parts.clock.now() >= task.expiresAt.getTime()) this.#stop = 'expired'
    else if (!this.#parts.recorder.ready) this.#stop = { afterMs: 1000 }
    else if (this.#work.signal.aborted || this.#parts.stopping()) this.#stop = { afterMs: 0 }
    return this.#stop === undefined && this.#sender.stop === undefined
  }

  async #permitted(wanted: number): Promise<Leave | undefined> {
    const leave = await this.#nextLeave(wanted)
    if (isLater(leave)) {
      this.#stop = leave
      return undefined
    }
    const { task } = this.#work.claimed
    const { rate } = this.#parts.watch.of(task)
    const members = Math.min(wanted, leave.members, this.#mostMembers())
    const waitMs = rate ? await this.#parts.taskRate(task.id, rate, members) : 0
    if (waitMs === 0) return leave
    leave.unused()
    this.#stop = { afterMs: waitMs }
    return undefined
  }

  async #nextLeave(wanted: number): Promise<Leave | Later> {
    const first = this.#leave
    this.#leave = undefined
    const members = Math.min(wanted, this.#mostMembers())
    // Taken before it was known how many members are left (a retry, the last chunk of a plan): the rest goes back. To
    // give all of it back and ask anew would leave the permits of a limited account unused for their turn.
    if (first && !this.#isTooSmall(first, members)) return cutTo(members, first)
    first?.unused()
    const channel = await this.#parts.vendors.current(this.#work.channel)
    if (channel.pause !== undefined) {
      return { afterMs: this.#parts.parking.slot(channel.id, HANDED_BACK_AFTER_MS, HANDED_BACK_SPACING_MS) }
    }
    const { lane } = this.#work.claimed.chunk
    return this.#parts.vendors.admission.ask(channel, this.#work.pusher, { members, lane, begun: true })
  }

  /** A single push to several members of a batch vendor: one request for all of them, not one for the first. */
  #isTooSmall(first: Leave, members: number): boolean {
    const { pusher, probe, claimed } = this.#work
    return !probe && claimed.chunk.lane === 'single' && pusher.batchSize > 1 && first.members < members
  }

  #mostMembers(): number {
    const { rate } = this.#parts.watch.of(this.#work.claimed.task)
    const most = mostMembers(this.#work.pusher)
    return rate ? Math.max(1, Math.min(most, Math.floor(rate))) : most
  }

  /**
   * After a crash, members below the mark are in doubt, the others are known to be unsent. False: the task was cancelled,
   * and the results of what is in flight are still wanted; or another worker holds the chunk, and refuses them too.
   */
  async #mark(piece: readonly Addressee[], retried: readonly number[] = []): Promise<boolean> {
    const end = endOf(piece)
    const window = Math.max(WINDOW, this.#work.pusher.batchSize)
    const size = this.#work.claimed.chunk.members.length
    this.#started = Math.min(size, Math.max(this.#started, Math.ceil(end / window) * window))
    await this.#parts.at?.('before-mark')
    const held = await this.#ledger.mark(this.#started, retried)
    if (!held) this.#stop = 'cancelled'
    return held
  }

  #markRetried(piece: readonly Addressee[]): Promise<boolean> {
    const retried = piece.map(({ index }) => index)
    return this.#mark(piece, retried)
  }

  /** A window is marked with its first piece. */
  async #markAhead(piece: readonly Addressee[]): Promise<boolean> {
    return endOf(piece) <= this.#started || this.#mark(piece)
  }

  #fly(piece: readonly Addressee[], leave: Leave): void {
    this.#inFlight += piece.length
    const flight = this.#sender.send(piece, leave).finally(() => {
      this.#inFlight -= piece.length
      this.#flying.delete(flight)
    })
    this.#flying.add(flight)
  }
}

const endOf = (piece: readonly Addressee[]): number => (piece.at(-1)?.index ?? 0) + 1

function cutTo(members: number, leave: Leave): Leave {
  if (leave.members <= members) return leave
  leave.keep(members)
  return { ...leave, members }
}
