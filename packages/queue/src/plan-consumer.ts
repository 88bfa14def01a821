import type { Log } from '@fanfare/core'
import { connect, disconnect } from '@fanfare/redis'
import { DelayedError, type Job } from 'bullmq'
import { takesJobs } from './connections.ts'
import { type Consumer, endsWithin, refusals, workerOptions } from './consumer.ts'
import { logFailures, tameErrors } from './error-flood.ts'
import { PLAN_QUEUE } from './jobs.ts'
import { PromptWorker } from './prompt-worker.ts'

/** True where the task is to be planned on after others had their turn. */
export type PlanHandler = (taskId: string, signal: AbortSignal) => Promise<boolean>
export type PlanConsumer = Pick<Consumer, 'ready' | 'close'>
type PlanData = { v: number; task: string }

/** To the end of the queue. */
const AGAIN_AFTER_MS = 10

export type PlanConsumerOptions = {
  redisUrl: string
  log: Log
  /** Tasks planned side by side in this process. */
  concurrency: number
}

/** Consumes the jobs that ask for a task to be planned. */
export function consumePlans(options: PlanConsumerOptions, handler: PlanHandler): PlanConsumer {
  const redis = connect(options.redisUrl, 'endless')
  const aborter = new AbortController()
  const run = async (job: Job<PlanData>, token: string | undefined) => {
    if (!(await handler(job.data.task, aborter.signal))) return
    await job.moveToDelayed(Date.now() + AGAIN_AFTER_MS, token)
    throw new DelayedError()
  }
  const worker = new PromptWorker<PlanData>(PLAN_QUEUE, run, {
    ...workerOptions(redis, { name: PLAN_QUEUE }),
    concurrency: options.concurrency,
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
      const clean = await endsWithin(deadlineMs, worker.close())
      if (!clean) await endsWithin(100, worker.close(true))
      disconnect(redis)
      return clean
    },
  }
}
