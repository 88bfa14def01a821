import { randomUUID } from 'node:crypto'
import { ChannelCache, Deliverer, StoreClock, Turns, Window } from '@fanfare/core'
import { MemoryGuard } from '@fanfare/queue'
import type { WorkerConfig } from './config.ts'
import type { Parts } from './open.ts'

/** What a worker has done since it started, by what. */
export type Counters = {
  /** Jobs that ended, and jobs that were put off. */
  jobsDone: number
  jobsAgain: number
  /** Chunks brought back by the sweeper, by reason. */
  rescued: Record<string, number>
}

/** What the consumers and the sweeper work with; made in one place, plain. */
export type WorkerContext = Parts & {
  config: WorkerConfig
  /** Names this process among others. */
  holder: string
  clock: StoreClock
  channels: ChannelCache
  /** Of the event loop, shared by planning and delivering. */
  turns: Turns
  deliverer: Deliverer
  window: Window
  /** How full Redis is. */
  memory: MemoryGuard
  counters: Counters
}

export function createContext(config: WorkerConfig, parts: Parts): WorkerContext {
  const holder = `worker-${process.pid}-${randomUUID()}`
  const { store, pushers, limiter, taskRate, log, at, jobs, writeLedger } = parts
  const retry = { firstMs: config.retryFirstMs, maxMs: config.retryMaxMs }
  const clock = new StoreClock(store)
  const turns = new Turns()
  const channels = new ChannelCache(store, (id) => deliverer.channelChanged(id))
  const deliverer = new Deliverer({
    ...{ store, pushers, limiter, taskRate, log, holder, retry, clock, channels, turns },
    leaseMs: config.leaseMs,
    probeEveryMs: config.probeMs,
    onBulkDone: ({ channelId }) => {
      if (!memory.isHigh) window.pull(channelId)
    },
    ...(writeLedger && { writeLedger }),
    ...(at && { at }),
  })
  const enqueue: typeof jobs.enqueue = (items) => jobs.enqueue(items)
  const window = new Window({ store, channels, enqueue, log, ...(parts.placesOf && { placesOf: parts.placesOf }) })
  const memory = new MemoryGuard({ use: () => jobs.memoryUse(config.redisMaxMemoryBytes), log })
  const counters: Counters = { jobsDone: 0, jobsAgain: 0, rescued: {} }
  return { ...parts, config, holder, clock, channels, turns, deliverer, window, memory, counters }
}
