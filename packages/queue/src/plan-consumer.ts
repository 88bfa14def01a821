import type { Log } from '@fanfare/core'
import { connect, disconnect } from '@fanfare/redis'
import { DelayedError, type Job } from 'bullmq'
import { takesJobs } from './connections.ts'
import { type Consumer, endsWithin, refusals, workerOptions } from './consumer.ts'
import { logFailures, tameErrors } from './error-flood.ts'
import { PLAN_QUEUE } from './jobs.ts'
import { Places, type ShareRule } from './places.ts'
import { PromptWorker } from './prompt-worker.ts'

/** True where the task is to be planned on after others had their turn. */
export type PlanHandler = (taskId: string, signal: AbortSignal) => Promise<boolean>
export type PlanConsumer = Pick<Consumer, 'ready' | 'close'>
type PlanData = { v: number; task: string; app?: string }

/** To the end of the queue. */
const AGAIN_AFTER_MS = 10

export type PlanConsumerOptions = {
  redisUrl: string
  log: Log
  /** Tasks planned side by side in this process. */
  concurrency: number
  /** How the places are shared; a chaos entry may put another rule here. */
  share?: ShareRule
}

/** An app's tasks wait for each other, not in the places of others. */
const WAITS = { waitMs: 1000, awayMs: 50 }

/** Consumes the jobs that ask for a task to be planned. */
export function consumePlans(options: PlanConsumerOptions, handler: PlanHandler): PlanConsumer {
  const redis = connect(options.redisUrl, 'endless')
  const aborter = new AbortController()
  const { concurrency, share } = options
  const waiters = Math.ceil(concurrency / 2)
  const places = new Places({ size: concurrency, waiters, ...WAITS, ...(share && { share }) })
  const run = async (job: Job<PlanData>, token: string | undefined) => {
    const againAfterMs = await inPlace(places, job.data, () => handler(job.data.task, aborter.signal))
    if (againAfterMs === undefined) return
    await job.moveToDelayed(Date.now() + againAfterMs, token)
    throw new DelayedError()
  }
  const worker = new PromptWorker<PlanData>(PLAN_QUEUE, run, {
    ...workerOptions(redis, { name: PLAN_QUEUE }),
    concurrency: concurrency + waiters,
    // The same task may need planning again at once (a part was left by a worker that died).
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  })
  tameErrors(worker, options.log)
  logFailures(worker, options.log)
  return {
    ready: () => takesJobs(redis, PLAN_QUEUE, refusals(worker, options.log)),
    close: async (deadlineMs) => {
      aborter.abort(new Error('the worker is shutting down'))
      places.close()
      const clean = await endsWithin(deadlineMs, worker.close())
      if (!clean) await endsWithin(100, worker.close(true))
      disconnect(redis)
      return clean
    },
  }
}

/** Answers when the job is to run again. */
async function inPlace(
  places: Places,
  { task, app }: PlanData,
  run: () => Promise<boolean>,
): Promise<number | undefined> {
  const owner = { app: app ?? task, channel: app ?? task }
  if (!(await places.enter(owner))) return places.away(owner)
  try {
    return (await run()) ? AGAIN_AFTER_MS : undefined
  } finally {
    places.leave(owner)
  }
}
