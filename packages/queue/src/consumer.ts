import type { Log, PlatformName } from '@fanfare/core'
import { type Connection, connect, disconnect, within } from '@fanfare/redis'
import { DelayedError, type Job, type Worker, type WorkerOptions } from 'bullmq'
import { takesJobs } from './connections.ts'
import { logFailures, tameErrors } from './error-flood.ts'
import {
  type DeliverData,
  type DeliverJob,
  prefixOf,
  REMOVE_ON_COMPLETE,
  REMOVE_ON_FAIL,
  toDeliverJob,
} from './jobs.ts'
import { type Owner, Places, type ShareRule } from './places.ts'
import { PromptWorker } from './prompt-worker.ts'
import { Watchdog } from './watchdog.ts'

/** `afterMs`: not finished, run it again after so long (this costs no attempt). */
export type Again = { afterMs: number }
export type DeliverHandler = (job: DeliverJob, signal: AbortSignal) => Promise<Again | undefined>

export type ConsumerOptions = {
  redisUrl: string
  platform: PlatformName
  /** Names this process; each job says in `pb` (Bull Board: processed by) who took it. */
  holder: string
  /** Single pushes in progress at once. */
  concurrency: number
  /** Chunks of tasks in progress at once, besides. */
  maxBulk: number
  /** The app of a channel; absent where the channel is gone or cannot be looked up now. */
  appOf: (channelId: string) => Promise<string | undefined> | string | undefined
  /** How the places are shared; a chaos entry may put another rule here. */
  share?: ShareRule
  log: Log
  /** Jobs wait, none runs and none has ended for a minute: the process should end and be started anew. */
  onStuck?: () => void
  /** A job of a dead worker runs again after at most lock + stalled interval. */
  lockMs?: number
  stalledMs?: number
}

export type Consumer = {
  /** Resolves when a job would be taken; never while Redis is away or refuses. */
  ready(): Promise<void>
  /** Jobs in progress. */
  running(): number
  /** Takes no more jobs; those in progress go on. */
  stopTaking(): void
  /** Aborts what is in progress (its signal fires). */
  abort(): void
  /** Waits for the jobs in progress; never longer than `deadlineMs`. True where it ended cleanly. */
  close(deadlineMs: number): Promise<boolean>
}

const UNKNOWN_VERSION_AFTER_MS = 5000
const SINGLE_WAITS = { waitMs: 250, awayMs: 50 }
const BULK_WAITS = { waitMs: 1000, awayMs: 400 }

/** Consumes one platform's queue. */
export function consume(options: ConsumerOptions, handler: DeliverHandler): Consumer {
  return new DeliverConsumer(options, handler)
}

class DeliverConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #handler: DeliverHandler
  readonly #redis: Connection
  readonly #worker: Worker<DeliverData>
  readonly #places: Readonly<Record<DeliverJob['lane'], Places>>
  readonly #watchdog: Watchdog
  readonly #aborter = new AbortController()
  #running = 0
  #onIdle: (() => void) | undefined

  constructor(options: ConsumerOptions, handler: DeliverHandler) {
    this.#options = options
    this.#handler = handler
    const { concurrency, maxBulk, share } = options
    // To be sent away costs as much as a push, so for each place another job may wait for one that is soon free.
    const waiters = concurrency
    this.#places = {
      single: new Places({ size: concurrency, waiters, ...SINGLE_WAITS, ...(share && { share }) }),
      bulk: new Places({ size: maxBulk, waiters, ...BULK_WAITS, ...(share && { share }) }),
    }
    this.#redis = connect(options.redisUrl, 'endless')
    this.#worker = new PromptWorker<DeliverData>(
      options.platform,
      (job, token) => this.#process(job, token),
      workerOptions(this.#redis, { ...options, concurrency: concurrency + maxBulk + 2 * waiters }),
    )
    tameErrors(this.#worker, options.log)
    logFailures(this.#worker, options.log)
    this.#watchdog = new Watchdog(this.#redis, options.platform, {
      busy: () => this.#running > 0,
      onStuck: () => options.onStuck?.(),
    })
  }

  ready(): Promise<void> {
    return takesJobs(this.#redis, this.#options.platform, refusals(this.#worker, this.#options.log))
  }

  running(): number {
    return this.#running
  }

  stopTaking(): void {
    this.#watchdog.close()
    this.#places.single.close()
    this.#places.bulk.close()
    void this.#worker.pause(true).catch(() => undefined)
  }

  abort(): void {
    this.#aborter.abort(new Error('the worker is shutting down'))
  }

  async close(deadlineMs: number): Promise<boolean> {
    this.stopTaking()
    const until = performance.now() + deadlineMs
    const drained = await endsWithin(deadlineMs, this.#drained())
    // Worker.close() never returns while Redis does not answer (docs/reliability.md §0.11).
    const closed = await endsWithin(Math.max(100, until - performance.now()), this.#worker.close(!drained))
    disconnect(this.#redis)
    return drained && closed
  }

  #drained(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  async #process(job: Job<DeliverData>, token: string | undefined): Promise<void> {
    this.#running++
    try {
      const again = await this.#run(job)
      if (!again) return
      await job.moveToDelayed(Date.now() + again.afterMs, token)
    } finally {
      if (--this.#running === 0) this.#onIdle?.()
      this.#watchdog.alive()
    }
    throw new DelayedError()
  }

  async #run(job: Job<DeliverData>): Promise<Again | undefined> {
    const work = toDeliverJob(job.data, job.priority)
    if (work === undefined) return this.#unknownVersion(job)
    const places = this.#places[work.lane]
    const known = this.#ownerOf(work)
    const owner = known instanceof Promise ? await known : known
    const granted = places.enter(owner)
    if (!(granted instanceof Promise ? await granted : granted)) return { afterMs: places.away(owner) }
    try {
      return await this.#handler(work, this.#aborter.signal)
    } finally {
      places.leave(owner)
    }
  }

  #ownerOf({ channelId: channel }: DeliverJob): Owner | Promise<Owner> {
    const app = this.#options.appOf(channel)
    const owned = (id: string | undefined): Owner => ({ app: id ?? '', channel })
    return app instanceof Promise ? app.then(owned, () => owned(undefined)) : owned(app)
  }

  #unknownVersion(job: Job<DeliverData>): Again {
    const { log, platform } = this.#options
    log.warn({ queue: platform, jobId: job.id, version: job.data.v }, 'job of another version left to other workers')
    return { afterMs: UNKNOWN_VERSION_AFTER_MS }
  }
}

/** Settings of docs/reliability.md §6. No limiter here: one account's limit must not stop the others. */
export function workerOptions(
  connection: Connection,
  options: Pick<ConsumerOptions, 'platform' | 'holder' | 'concurrency' | 'lockMs' | 'stalledMs'> | { name: string },
): WorkerOptions {
  const own = 'platform' in options ? options : { platform: options.name, concurrency: 1 }
  const { lockMs, stalledMs, holder } = own as { lockMs?: number; stalledMs?: number; holder?: string }
  return {
    connection,
    ...(holder && { name: holder }),
    prefix: prefixOf(own.platform),
    concurrency: own.concurrency,
    // The version must be known: without it BullMQ rounds every delay up to whole seconds.
    lockDuration: lockMs ?? 10_000,
    stalledInterval: stalledMs ?? 5000,
    // The ledger counts crashes; BullMQ's own limit would fail a job for good at the second (docs/reliability.md §0.2).
    maxStalledCount: 1_000_000,
    drainDelay: 5,
    runRetryDelay: 500,
    removeOnComplete: REMOVE_ON_COMPLETE,
    removeOnFail: REMOVE_ON_FAIL,
  }
}

/** What whoever waits for a queue to be ready tells the operator. */
export const refusals = (worker: Worker, log: Log): Parameters<typeof takesJobs>[2] => ({
  onRefused: (error) => log.error({ queue: worker.name, error: error.message }, 'Redis refuses this queue'),
  isClosing: () => worker.closing !== undefined,
})

/** Whether `work` settles in time; its own failure counts as an end. */
export const endsWithin = (ms: number, work: Promise<unknown>): Promise<boolean> => {
  const ended = work.then(
    () => true,
    () => true,
  )
  return within(ms, ended, () => false)
}
