import { Batcher, type ChunkRef, type Enqueue, type Jobs, type PlatformName } from '@fanfare/core'
import { type Connection, connect, connected, disconnect, mastersOf } from '@fanfare/redis'
import { Queue } from 'bullmq'
import { answered, probe, QUEUES } from './connections.ts'
import { Crowd } from './crowd.ts'
import { CROWD_SCORE, deliverJob, jobKeyOf, PLAN_QUEUE, prefixOf, QUEUE_PLATFORMS, queueOptions } from './jobs.ts'

/** Batches of 20–200 with a few in flight are the fastest (docs/limits.md §1a). */
const BULK = { maxItems: 200, inFlight: 4 }
/**
 * Also holds where Redis is down from the start, when BullMQ itself would wait for ever (docs/reliability.md §0.11).
 */
const ADD_TIMEOUT_MS = 2000
/** A plan is as dear as so many single pushes: an app has five in a second before they go further back. */
const PLAN_COST = 20
const HELPER_PRIORITY = 10
/** How often the length of a queue is looked at while jobs are added. */
const LOOK_MS = 20
const PROBE_MS = 1000

/** `part` tells apart the jobs of ranges planned side by side. */
export type PlanOf = { appId?: string; part?: number }

export type JobQueues = Jobs & {
  /** Asks workers to plan a task. */
  enqueuePlan(taskId: string, of?: PlanOf): Promise<void>
  /** Rejects where a job of any queue would not be taken now, and says why; asked at most once a second. */
  ready(): Promise<void>
  /** Share of Redis' `maxmemory` in use, of a cluster's fullest master; where it has none, of `otherwiseBytes`, and 0 without both. */
  memoryUse(otherwiseBytes?: number): Promise<number>
  /**
   * Rejects with a PolicyError, a sentence for the operator, where Redis would throw jobs away by itself
   * (docs/reliability.md T17); with another error where Redis does not answer or refuses this user.
   */
  checkPolicy(): Promise<void>
}

/** `crowd: false` serves single pushes in order alone; only chaos entries set it. */
export type ProducerOptions = { crowd?: false }

/** Redis is set up so that it would lose jobs. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError'
}

/** Opens the producing side. The connection is made in the background: Redis may be down. */
export function openJobs(redisUrl: string, options: ProducerOptions = {}): JobQueues {
  return new Producer(connect(redisUrl, 'short'), options)
}

class Producer implements JobQueues {
  readonly #redis: Connection
  readonly #queues = new Map<string, Queue>()
  readonly #crowd: Crowd | undefined
  readonly #lookedAt = new Map<string, number>()
  readonly #adders = new Map<PlatformName, Batcher<Enqueue, true>>()
  #probed: { at: number; result: Promise<void> } | undefined

  constructor(redis: Connection, options: ProducerOptions) {
    this.#redis = redis
    this.#crowd = options.crowd === false ? undefined : new Crowd()
    for (const platform of QUEUE_PLATFORMS) {
      const queue = this.#open(platform)
      this.#adders.set(platform, new Batcher((items) => this.#addAll(queue, platform, items), BULK))
    }
    this.#open(PLAN_QUEUE)
  }

  async enqueue(items: readonly Enqueue[]): Promise<void> {
    await Promise.all(items.map((item) => this.#add(item)))
  }

  async present(items: readonly (ChunkRef & { platform: PlatformName })[]): Promise<boolean[]> {
    if (items.length === 0) return []
    const found = new Map<PlatformName, Map<ChunkRef, boolean>>()
    // The jobs of two queues are in two slots, so on two masters of a cluster.
    const platforms = [...new Set(items.map((item) => item.platform))]
    const ofPlatform = (platform: PlatformName) => items.filter((item) => item.platform === platform)
    await Promise.all(
      platforms.map(async (platform) => found.set(platform, await this.#presentIn(platform, ofPlatform(platform)))),
    )
    return items.map((item) => found.get(item.platform)?.get(item) ?? false)
  }

  async #presentIn(platform: PlatformName, items: readonly ChunkRef[]): Promise<Map<ChunkRef, boolean>> {
    const pipeline = this.#redis.pipeline()
    for (const item of items) pipeline.hmget(jobKeyOf(platform, item), 'timestamp', 'finishedOn')
    const rows = (await answered(ADD_TIMEOUT_MS, 'present', pipeline.exec())) ?? []
    return new Map(
      items.map((item, index) => {
        const [error, row] = rows[index] ?? []
        if (error) throw error
        const [timestamp, finishedOn] = row as (string | null)[]
        return [item, timestamp !== null && finishedOn === null]
      }),
    )
  }

  async enqueuePlan(taskId: string, { appId, part = 0 }: PlanOf = {}): Promise<void> {
    const queue = this.#queues.get(PLAN_QUEUE)
    if (!queue) return
    // Helpers of a task that is being planned come after tasks that have not begun.
    const priority = part > 0 ? HELPER_PRIORITY : this.#priorityOfPlan(appId)
    const opts = { jobId: `${taskId}-${part}`, keepLogs: 0, ...(priority > 0 && { priority }) }
    const added = queue.add('plan', { v: 1, task: taskId, ...(appId !== undefined && { app: appId }) }, opts)
    await answered(ADD_TIMEOUT_MS, 'plan', added)
  }

  ready(): Promise<void> {
    const now = performance.now()
    if (this.#probed && now - this.#probed.at < PROBE_MS) return this.#probed.result
    const result = answered(ADD_TIMEOUT_MS, 'ready', this.#probe())
    this.#probed = { at: now, result }
    return result
  }

  async #probe(): Promise<void> {
    await connected(this.#redis, ADD_TIMEOUT_MS)
    await Promise.all(QUEUES.map((queue) => probe(this.#redis, queue)))
  }

  async memoryUse(otherwiseBytes = 0): Promise<number> {
    const shares = (await this.#memory()).map((info) => {
      const max = numberIn(info, 'maxmemory') || otherwiseBytes
      return max > 0 ? numberIn(info, 'used_memory') / max : 0
    })
    return Math.max(0, ...shares)
  }

  async checkPolicy(): Promise<void> {
    await connected(this.#redis, ADD_TIMEOUT_MS)
    for (const info of await this.#memory()) {
      const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
      if (policy === undefined || policy === 'noeviction') continue
      throw new PolicyError(`Redis' maxmemory-policy is ${policy}: set it to noeviction, or it throws jobs away`)
    }
  }

  #memory(): Promise<string[]> {
    const asked = Promise.all(mastersOf(this.#redis).map((master) => master.info('memory')))
    return answered(ADD_TIMEOUT_MS, 'memory', asked)
  }

  async close(): Promise<void> {
    // close() of a queue rejects where its connection is gone (docs/reliability.md §0.11); there is nothing left to
    // save.
    const closing = [...this.#queues.values()].map((queue) => queue.close().catch(() => undefined))
    await answered(ADD_TIMEOUT_MS, 'close', Promise.all(closing)).catch(() => undefined)
    disconnect(this.#redis)
  }

  #add(item: Enqueue): Promise<true> {
    const adder = this.#adders.get(item.platform)
    return adder ? adder.add(item) : Promise.reject(new Error(`no queue for platform ${item.platform}`))
  }

  async #addAll(queue: Queue, platform: PlatformName, items: Enqueue[]): Promise<true[]> {
    const place = ({ lane, appId, channelId, members = 1 }: Enqueue) =>
      this.#crowd && lane === 'single'
        ? this.#crowd.place({ queue: platform, owner: appId ?? channelId, cost: members })
        : 0
    const adding = queue.addBulk(items.map((item) => deliverJob(item, place(item))))
    this.#look(platform)
    await answered(ADD_TIMEOUT_MS, 'enqueue', adding)
    return items.map(() => true)
  }

  #priorityOfPlan(appId: string | undefined): number {
    this.#look(PLAN_QUEUE)
    if (!this.#crowd || appId === undefined) return 0
    const place = this.#crowd.place({ queue: PLAN_QUEUE, owner: appId, cost: PLAN_COST })
    return place > 0 ? HELPER_PRIORITY + place : 0
  }

  /** Behind the jobs on their connection; best effort. */
  #look(name: string): void {
    const now = performance.now()
    if (!this.#crowd || now - (this.#lookedAt.get(name) ?? 0) < LOOK_MS) return
    this.#lookedAt.set(name, now)
    const key = `${prefixOf(name)}:${name}`
    const few = this.#redis.llen(`${key}:wait`)
    const many = this.#redis.zcount(`${key}:prioritized`, CROWD_SCORE, '+inf')
    Promise.all([few, many]).then(
      ([first, crowd]) => this.#crowd?.saw(name, first + crowd),
      () => undefined,
    )
  }

  #open(name: string): Queue {
    const queue = new Queue(name, queueOptions(name, this.#redis))
    queue.on('error', () => undefined)
    this.#queues.set(name, queue)
    return queue
  }
}

const numberIn = (info: string, field: string): number =>
  Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
