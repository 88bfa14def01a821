import {
  COMMON_DEFAULTS,
  type CommonConfig,
  type Env,
  readCommonConfig,
  readSettings,
  wholeNumber,
} from '@fanfare/runtime'

/** Everything a worker can be told from outside; read from the environment once and judged once. */
export type WorkerConfig = CommonConfig & {
  /** Single pushes in progress at once on each platform; one app alone has nearly half of them. */
  concurrency: number
  /** Chunks of tasks in progress at once on each platform, shared in the same way. */
  maxBulk: number
  /** A chunk whose worker gave no sign of life for so long is another's. */
  leaseMs: number
  /** A job of a dead worker runs again after lock + stalled check. */
  lockMs: number
  stalledMs: number
  /** How often the sweeper looks, and how old a planned chunk must be to count as lost. */
  sweepMs: number
  graceMs: number
  /** Backoff of deferred members. */
  retryFirstMs: number
  retryMaxMs: number
  /** A channel whose credentials were refused is tried again so often. */
  probeMs: number
  /** Devices per page of a plan, a multiple of 1,000. A page is read and written in one turn of the event loop. */
  planPageSize: number
  /** How long running pushes may go on after SIGTERM before they are aborted, and all in all. */
  drainMs: number
  exitMs: number
}

export const WORKER_DEFAULTS = {
  ...COMMON_DEFAULTS,
  concurrency: 400,
  maxBulk: 20,
  leaseMs: 10_000,
  lockMs: 10_000,
  stalledMs: 5000,
  sweepMs: 500,
  graceMs: 2000,
  retryFirstMs: 10_000,
  retryMaxMs: 600_000,
  probeMs: 60_000,
  planPageSize: 4000,
  drainMs: 15_000,
  exitMs: 20_000,
} as const satisfies Partial<WorkerConfig>

const SETTINGS = {
  concurrency: ['WORKER_CONCURRENCY', wholeNumber({ least: 1, most: 2000, otherwise: WORKER_DEFAULTS.concurrency })],
  maxBulk: ['WORKER_BULK', wholeNumber({ least: 1, most: 500, otherwise: WORKER_DEFAULTS.maxBulk })],
} as const

/** Reads the environment; throws one clear sentence for the first thing that is wrong. */
export const readConfig = (env: Env = process.env): WorkerConfig => ({
  ...WORKER_DEFAULTS,
  ...readCommonConfig(env),
  ...readSettings(SETTINGS, env),
})
