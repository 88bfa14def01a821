import { Batcher } from '../common/batcher.ts'
import type { ChannelCache } from '../common/channel-cache.ts'
import { StoreDownError } from '../common/errors.ts'
import type { StoreClock } from '../common/store-clock.ts'
import type { Turns } from '../common/turns.ts'
import { isFinal } from '../ledger/outcomes.ts'
import { type Backoff, RETRY } from '../ledger/retry.ts'
import { SENTENCES } from '../ledger/sentences.ts'
import type { writeLedger } from '../ledger/write.ts'
import type { Channel } from '../nouns/channel.ts'
import type { ChunkRef } from '../nouns/chunk.ts'
import { LEASE_MS } from '../nouns/defaults.ts'
import type { Lane } from '../nouns/task.ts'
import type { At } from '../ports/at.ts'
import { isLater, type Later } from '../ports/later.ts'
import type { Limiter, TaskRate } from '../ports/limiter.ts'
import type { Log } from '../ports/log.ts'
import type { Pusher, Pushers } from '../ports/pusher.ts'
import { BusyError, ChannelError } from '../ports/pusher.ts'
import type { Claimed } from '../ports/store/chunks.ts'
import type { Store } from '../ports/store/store.ts'
import { type Leave, WHEN_BEGUN } from '../vendor/admission.ts'
import { isProbed } from '../vendor/breaker.ts'
import { mostMembers } from '../vendor/units.ts'
import { Vendors } from '../vendor/vendors.ts'
import { ChunkRun, type RunParts, WINDOW } from './chunk-run.ts'
import { type ClaimOf, Claims } from './claims.ts'
import { Finisher } from './finisher.ts'
import { Heartbeat } from './heartbeat.ts'
import { Parking, REFUSED_AFTER_MS, Tries } from './parking.ts'
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
  clock: StoreClock
  channels: ChannelCache
  /** Shared with whatever else works on many members in this process. */
  turns: Turns
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
  readonly #options: DeliverOptions
  readonly #leaseMs: number
  readonly #recorder: Recorder
  readonly #vendors: Vendors
  readonly #parking = new Parking()
  readonly #held: Heartbeat
  readonly #watch: TaskWatch
  readonly #parts: RunParts
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
    const { store, log, at, writeLedger, turns } = options
    this.#leaseMs = options.leaseMs ?? LEASE_MS
    this.#recorder = new Recorder({ store, log, ...(at && { at }), ...(writeLedger && { writeLedger }) })
    this.#vendors = vendorsOf(options)
    this.#held = new Heartbeat(this.#recorder, this.#leaseMs)
    this.#watch = new TaskWatch(store)
    this.#parts = this.#partsOf(options)
    this.#claims = new Claims((refs, firstWindow) => {
      this.#recorder.join()
      return options.store.chunks.claim(refs, this.#leaseMs, firstWindow)
    }, turns)
  }

  /** Answers when the job is to run again; undefined where it is done, superseded or another's. */
  async deliver(job: DeliverJob, signal: AbortSignal): Promise<Later | undefined> {
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
    this.#options.channels.forget(channelId)
    this.#vendors.breaker.forget(channelId)
    this.#parking.clear(channelId)
    this.#options.pushers.drop(channelId)
  }

  async close(): Promise<void> {
    this.stop()
    await this.#recorder.idle()
    await this.#finisher.close()
    this.#vendors.close()
    this.#held.close()
    this.#watch.close()
  }

  async #deliver(job: DeliverJob, signal: AbortSignal): Promise<Later | undefined> {
    if (!this.#recorder.ready || this.#stopping) return { afterMs: this.#stopping ? 0 : STORE_AWAY_AFTER_MS }
    const channel = await this.#options.channels.get(job.channelId)
    if (!channel) return this.#channelGone(job)
    const probe = channel.pause !== undefined
    if (probe && !(await this.#vendors.breaker.mayProbe(channel))) return this.#standAside(job, channel)
    const pusher = await this.#open(channel)
    if (!pusher) return this.#later(channel, REFUSED_AFTER_MS)
    const answer = await this.#leave(channel, pusher, { lane: job.lane, probe })
    if (answer !== WHEN_BEGUN && isLater(answer)) return answer
    const leave = answer === WHEN_BEGUN ? undefined : answer
    const firstWindow = Math.max(WINDOW, pusher.batchSize)
    const claimed = await this.#claim(job, { lane: job.lane, firstWindow, appId: channel.appId }, leave)
    if (!claimed) return undefined
    return new ChunkRun(this.#parts, { claimed, channel, pusher, leave, probe, signal }).run()
  }

  /**
   * The chunks of a paused channel wait in the store. One of a channel that goes on by itself stays with this process, to
   * try with; it comes back when the channel runs, as the others do.
   */
  async #standAside(job: DeliverJob, channel: Channel): Promise<Later | undefined> {
    if (isProbed(channel) && this.#tries.keep(channel.id, `${job.taskId}-${job.seq}`)) {
      return this.#later(channel, PAUSED_AFTER_MS)
    }
    const { taskId, seq, gen } = job
    if (await this.#parker.add({ taskId, seq, gen })) return undefined
    return this.#later(channel, PAUSED_AFTER_MS)
  }

  async #open(channel: Channel): Promise<Pusher | undefined> {
    try {
      return await this.#options.pushers.for(channel)
    } catch (error) {
      if (error instanceof BusyError) return undefined
      if (!(error instanceof ChannelError)) throw error
      this.#vendors.refused(channel, error.reason)
      return undefined
    }
  }

  /** Before the claim, so that a push that must wait costs no write. */
  async #leave(
    channel: Channel,
    pusher: Pusher,
    ask: { lane: Lane; probe: boolean },
  ): Promise<Leave | Later | typeof WHEN_BEGUN> {
    // How many members a single push has is known after the claim; one request takes them all where requests count.
    const perRequest = pusher.batchSize > 1 && channel.limits.unit === 'request'
    const members = perRequest || (ask.lane === 'bulk' && !ask.probe) ? mostMembers(pusher) : 1
    const leave = await this.#vendors.admission.ask(channel, pusher, { members, lane: ask.lane })
    // The limiter gives each asker an instant of its own, and permits wait for whoever comes later.
    if (leave === WHEN_BEGUN || !isLater(leave) || channel.limits.rate > 0) return leave
    return this.#later(channel, leave.afterMs)
  }

  #later(channel: Channel, afterMs: number): Later {
    return { afterMs: this.#parking.slot(channel.id, afterMs) }
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
    const open = [...outcomes.entries()].filter(([, outcome]) => !isFinal(outcome))
    const rejected = open.map(([index]) => [index, 'rejected', SENTENCES.noChannel] as const)
    const done = await this.#recorder.write({ taskId, seq, fence, outcomes: rejected, state: 'done' })
    if (done) this.#chunkDone(claimed)
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

  #partsOf({ log, clock, taskRate, retry, at }: DeliverOptions): RunParts {
    return {
      ...{
        recorder: this.#recorder,
        vendors: this.#vendors,
        parking: this.#parking,
        held: this.#held,
        watch: this.#watch,
      },
      ...{ log, clock, turns: this.#options.turns, leaseMs: this.#leaseMs, retry: retry ?? RETRY, at },
      tokens: (ids) => this.#tokens(ids),
      taskRate: (taskId, rate, members) => taskRate.take(taskId, rate, members).catch(() => NO_RATE_AFTER_MS),
      chunkDone: (claimed) => this.#chunkDone(claimed),
      stopping: () => this.#stopping,
    }
  }
}

function vendorsOf({ store, pushers, limiter, log, holder, clock, channels, probeEveryMs }: DeliverOptions): Vendors {
  return new Vendors({
    ...{ store, pushers, limiter, log, holder },
    now: () => clock.now(),
    channelOf: (id) => channels.get(id),
    onChange: (id) => channels.forget(id),
    ...(probeEveryMs && { probeEveryMs }),
  })
}
