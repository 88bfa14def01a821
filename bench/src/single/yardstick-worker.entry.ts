/**
 * The yardstick's worker: an empty processor. Tells its parent how many jobs it has entered and when the last one was,
 * and for `timed` jobs how long they took from being added (idle-latency).
 */
import { Worker } from 'bullmq'
import { redisOptions } from './yardstick-redis.ts'

export type WorkerReport = { entered: number; lastAt: number; latenciesMs: number[] }

const CONCURRENCY = 100
const REPORT_MS = 20

let entered = 0
let lastAt = 0
let reported = 0
let latenciesMs: number[] = []

const worker = new Worker(
  'yardstick',
  (job) => {
    entered++
    lastAt = performance.timeOrigin + performance.now()
    if (job.data.timed === true) latenciesMs.push(lastAt - job.data.addedAt)
    return Promise.resolve()
  },
  { connection: redisOptions(), concurrency: CONCURRENCY },
)

setInterval(() => {
  if (entered === reported) return
  reported = entered
  process.send?.({ entered, lastAt, latenciesMs } satisfies WorkerReport)
  latenciesMs = []
}, REPORT_MS)

void worker.waitUntilReady().then(() => process.stdout.write(`${JSON.stringify({ ready: true })}\n`))
process.once('SIGTERM', () => process.exit(0))
