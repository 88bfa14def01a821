import { Batcher } from '../common/batcher.ts'
import { ChannelCache } from '../common/channel-cache.ts'
import { StoreDownError } from '../common/errors.ts'
import { StoreClock } from '../common/store-clock.ts'
import { Turns } from '../common/turns.ts'
import { type Backoff, RETRY } from '../ledger/retry.ts'
import type { writeLedger } from '../ledger/write.ts'
import type { Channel } from '../nouns/channel.ts'
import type { ChunkRef } from '../nouns/chunk.ts'
import { LEASE_MS } from '../nouns/defaults.ts'
import type { Lane } from '../nouns/task.ts'
import type { At } from '../ports/at.ts'
import type { Limiter, TaskRate } from '../ports/limiter.ts'
import type { Log } from '../ports/log.ts'
import type { Pusher, Pushers } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Claimed } from '../ports/store/chunks.ts'
import type { Store } from '../ports/store/store.ts'
import { Admission, type Denied, type Leave, mostMembers } from '../vendor/admission.ts'
import { Breaker, isProbed } from '../vendor/breaker.ts'
import { DeadTokenGate } from '../vendor/dead-token-gate.ts'
import { ChunkRun, WINDOW } from './chunk-run.ts'
import { type ClaimOf, Claims } from './claims.ts'
import { Finisher } from './finisher.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Again, DeliverKit } from './kit.ts'
import { Parking, Tries } from './parking.ts'
import { Recorder } from './recorder.ts'
import { TaskWatch } from './task-watch.ts'

export type DeliverJob = ChunkRef & { channelId: string; lane: Lane }

export type DeliverOptions = {
  store: Store
  pushers: Pushers
  limiter: Limiter
  taskRate: TaskRate
  log: Log
  /** Names this process among others. */
  holder: string
  /** A chunk of a task on this channel is done: the next may follow. */
  onBulkDone?: (chunk: { taskId: string; channelId: string }) => void
  leaseMs?: number
  retry?: Backoff
  /** How often a channel whose credentials were refused is tried again. */
  probeEveryMs?: number
  writeLedger?: typeof writeLedger
  at?: At
}

const STORE_AWAY_AFTER_MS = 1000
const PAUSED_AFTER_MS = 2000
const PAUSED_SPACING_MS = 2
const REFUSED_AFTER_MS = 2000
/** Those of a channel that has not proved itself yet come back one by one. */
const COLD_SPACING_MS = 2
/** Where Redis cannot be asked about a task's own rate. */
const NO_RATE_AFTER_MS = 500
/** More ids than this are read in a call of their own. */
const SHARED_READ = 50
/** Parks of one tick share a write. */
const PARKS = { maxItems: 200, apart: true }

/**
 * Sends chunks: leave first, then the claim, then window after window, everything recorded under the claim's fence
 * (docs/reliability.md §3.2). One per process: concurrent jobs share their reads and writes.
 */
export class Deliverer {
  readonly kit: DeliverKit
  readonly #options: DeliverOptions
  readonly #finisher: Finisher
  readonly #claims: Claims
  readonly #reads: Batcher<string, string | null | undefined>
  readonly #parker: Batcher<ChunkRef, boolean>
  readonly #tries = new Tries()
  #stopping = false

  constructor(options: DeliverOptions) {
    this.#options = options
    this.#reads = new Batcher((ids) => options.store.devices.tokens(ids), { maxItems: 500, inFlight: 2, apart: true })
    this.#parker = new Batcher((refs) => options.store.chunks.park(refs), PARKS)
    this.#finisher = new Finisher(options.store, options.log)
    this.kit = this.#makeKit()
    this.#claims = new Claims((refs, firstWindow) => {
      this.kit.recorder.join()
      return options.store.chunks.claim(refs, this.kit.leaseMs, firstWindow)
    }, this.kit.turns)
  }

  /** Answers when the job is to run again; undefined where it is done, superseded or another's. */
  async deliver(job: DeliverJob, signal: AbortSignal): Promise<Again | undefined> {
    try {
      return await this.#deliver(job, signal)
    } catch (error) {
      if (error instanceof StoreDownError) return { afterMs: STORE_AWAY_AFTER_MS * (1 + Math.random()) }
      throw error
    }
  }

  /** Ends chunks at their next window and hands them back; single pushes under way end by themselves. */
  stop(): void {
    this.#stopping = true
  }

  /** Someone changed the channel or removed it. */
  channelChanged(channelId: string): void {
    this.kit.channels.forget(channelId)
    this.kit.breaker.forget(channelId)
    this.kit.parking.clear(channelId)
    this.#options.pushers.drop(channelId)
  }

  async close(): Promise<void> {
    this.stop()
    await this.kit.recorder.idle()
    await this.#finisher.close()
    this.kit.gate.close()
    this.kit.held.close()
    this.kit.watch.close()
  }

  async #deliver(job: DeliverJob, signal: AbortSignal): Promise<Again | undefined> {
    if (!this.kit.recorder.ready || this.#stopping) return { afterMs: this.#stopping ? 0 : STORE_AWAY_AFTER_MS }
    const channel = await this.kit.channels.get(job.channelId)
    if (!channel) return this.#channelGone(job)
    const probe = channel.pause !== undefined
    if (probe && !(await this.kit.breaker.mayProbe(channel))) return this.#standAside(job, channel)
    const pusher = await this.#open(channel)
    if (!pusher) return this.#later(channel, REFUSED_AFTER_MS, PAUSED_SPACING_MS)
    const answer = await this.#leave(channel, pusher, { lane: job.lane, probe })
    if ('afterMs' in answer && !answer.soon) return { afterMs: answer.afterMs }
    const leave = 'afterMs' in answer ? undefined : answer
    const firstWindow = Math.max(WINDOW, pusher.batchSize)
    const claimed = await this.#claim(job, { lane: job.lane, firstWindow, appId: channel.appId }, leave)
    if (!claimed) return undefined
    return new ChunkRun(this.kit, { claimed, channel, pusher, leave, probe, signal }).run()
  }

  /**
   * The chunks of a paused channel wait in the store. One of a channel that goes on by itself stays with this process, to
   * try with; it comes back when the channel runs, as the others do.
   */
  async #standAside(job: DeliverJob, channel: Channel): Promise<Again | undefined> {
    if (isProbed(channel) && this.#tries.keep(channel.id, `${job.taskId}-${job.seq}`)) {
      return this.#later(channel, PAUSED_AFTER_MS, PAUSED_SPACING_MS)
    }
    const { taskId, seq, gen } = job
    if (await this.#parker.add({ taskId, seq, gen })) return undefined
    return this.#later(channel, PAUSED_AFTER_MS, PAUSED_SPACING_MS)
  }

  async #open(channel: Channel): Promise<Pusher | undefined> {
    try {
      return await this.#options.pushers.for(channel)
    } catch (error) {
      if (error instanceof BusyError) return undefined
      if (!(error instanceof ChannelError)) throw error
      await this.kit.breaker.refused(channel, error.reason)
      return undefined
    }
  }

  /** Before the claim, so that a push that must wait costs no write. */
  async #leave(channel: Channel, pusher: Pusher, ask: { lane: Lane; probe: boolean }): Promise<Leave | Denied> {
    // How many members a single push has is known after the claim; one request takes them all where requests count.
    const perRequest = pusher.batchSize > 1 && channel.limits.unit === 'request'
    const members = perRequest || (ask.lane === 'bulk' && !ask.probe) ? mostMembers(pusher) : 1
    const leave = await this.kit.admission.ask(channel, pusher, { members, lane: ask.lane })
    // The limiter gives each asker an instant of its own, and permits wait for whoever comes later.
    if (!('afterMs' in leave) || channel.limits.rate > 0) return leave
    return this.#later(channel, leave.afterMs, COLD_SPACING_MS)
  }

  #later(channel: Channel, afterMs: number, spacingMs: number): Again {
    return { afterMs: this.kit.parking.slot(channel.id, afterMs, spacingMs) }
  }

  async #claim({ taskId, seq, gen }: DeliverJob, of: ClaimOf, leave?: Leave): Promise<Claimed | undefined> {
    try {
      await this.#options.at?.('before-claim')
      const claimed = await this.#claims.add({ taskId, seq, gen }, of)
      if (!claimed) leave?.unused()
      return claimed
    } catch (error) {
      leave?.unused()
      throw error
    }
  }

  /** The channel was removed, its devices with it: every member fails. */
  async #channelGone(job: DeliverJob): Promise<undefined> {
    const { taskId: id, seq: number, gen, lane } = job
    const claimed = await this.#claims.add({ taskId: id, seq: number, gen }, { lane, firstWindow: WINDOW, appId: '' })
    if (!claimed) return
    const { taskId, seq, fence, outcomes } = claimed.chunk
    const open = [...outcomes.entries()].filter(([, outcome]) => ['unsent', 'started', 'deferred'].includes(outcome))
    const rejected = open.map(([index]) => [index, 'rejected', 'no push binding'] as const)
    const done = await this.kit.recorder.write({ taskId, seq, fence, outcomes: rejected, state: 'done' })
    if (done) this.kit.chunkDone(claimed)
  }

  async #tokens(ids: readonly string[]): Promise<(string | null | undefined)[]> {
    if (ids.length > SHARED_READ) return this.#options.store.devices.tokens(ids)
    return Promise.all(ids.map((id) => this.#reads.add(id)))
  }

  #chunkDone({ chunk, task }: Claimed): void {
    const bulk = chunk.lane === 'bulk'
    this.#finisher.chunkDone(task.id)
    if (bulk && chunk.channelId) this.#options.onBulkDone?.({ taskId: task.id, channelId: chunk.channelId })
  }

  #makeKit(): DeliverKit {
    const { store, log, holder, limiter, taskRate, at, probeEveryMs, writeLedger } = this.#options
    const leaseMs = this.#options.leaseMs ?? LEASE_MS
    const clock = new StoreClock(store)
    const recorder = new Recorder({ store, log, ...(at && { at }), ...(writeLedger && { writeLedger }) })
    const channels = new ChannelCache(store, (id) => this.channelChanged(id))
    const onChange = (id: string) => channels.forget(id)
    const breaker = new Breaker({
      store,
      log,
      holder,
      now: () => clock.now(),
      onChange,
      ...(probeEveryMs && { probeEveryMs }),
    })
    return {
      ...{ clock, recorder, channels, breaker, log, leaseMs, at },
      gate: new DeadTokenGate({ store, log }),
      admission: new Admission(breaker, limiter),
      parking: new Parking(),
      held: new Heartbeat(recorder, leaseMs),
      watch: new TaskWatch(store),
      turns: new Turns(),
      retry: this.#options.retry ?? RETRY,
      tokens: (ids) => this.#tokens(ids),
      pusher: async (channel) => this.#options.pushers.for((await channels.get(channel.id)) ?? channel),
      taskRate: (taskId, rate, members) => taskRate.take(taskId, rate, members).catch(() => NO_RATE_AFTER_MS),
      slowDown: (channel, afterMs) => void limiter.slowDown(channel, afterMs),
      chunkDone: (claimed) => this.#chunkDone(claimed),
      stopping: () => this.#stopping,
    }
  }
}
