import type { Log } from '@fanfare/core'
import type { Job, Worker } from 'bullmq'

const WINDOW_MS = 1000
/** A worker whose Redis refuses writes fails thousands of times a second (docs/reliability.md §0.3). */
const FLOOD = 10
const PAUSE_MS = 1000

/** Samples a worker's errors to one line a second and makes it rest for a second when they come in floods. */
export function tameErrors(worker: Worker, log: Log): void {
  let windowEnds = 0
  let count = 0
  let resting = false
  worker.on('error', (error) => {
    const now = Date.now()
    if (now >= windowEnds) {
      log.warn({ queue: worker.name, error: error.message, before: count }, 'queue error')
      windowEnds = now + WINDOW_MS
      count = 0
    }
    if (++count < FLOOD || resting) return
    resting = true
    void rest(worker).finally(() => {
      resting = false
    })
  })
}

async function rest(worker: Worker): Promise<void> {
  await worker.pause(true)
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref())
  if (!worker.closing) await worker.resume()
}

/** Every job that ended by an error, at most one line a second and queue with how many were left out before it. */
export function logFailures(worker: Worker, log: Log): void {
  let windowEnds = 0
  let skipped = 0
  // Without the job where it is gone: BullMQ gave it up as stalled.
  worker.on('failed', (job: Job | undefined, error: Error) => {
    const now = Date.now()
    if (now < windowEnds) {
      skipped++
      return
    }
    log.error({ queue: worker.name, jobId: job?.id, job: job?.data, error: String(error), skipped }, 'job failed')
    windowEnds = now + WINDOW_MS
    skipped = 0
  })
}
