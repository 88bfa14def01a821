import type { Log } from '@fanfare/core'
import { Worker } from 'bullmq'
import { disconnect, takesJobs, workerConnection } from './connections.ts'
import { type Consumer, endsWithin, refusals, workerOptions } from './consumer.ts'
import { logFailures, tameErrors } from './error-flood.ts'
import { PLAN_QUEUE, prefixOf } from './jobs.ts'

export type PlanHandler = (taskId: string, signal: AbortSignal) => Promise<void>
export type PlanConsumer = Pick<Consumer, 'ready' | 'close'>
type PlanData = { v: number; task: string }

/** Consumes the jobs that ask for a task to be planned, one at a time in each process. */
export function consumePlans(options: { redisUrl: string; log: Log }, handler: PlanHandler): PlanConsumer {
  const redis = workerConnection(options.redisUrl)
  const aborter = new AbortController()
  const worker = new Worker<PlanData>(PLAN_QUEUE, (job) => handler(job.data.task, aborter.signal), {
    ...workerOptions(redis, { name: PLAN_QUEUE }),
    // The same task may need planning again at once (a part was left by a worker that died).
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
  })
  tameErrors(worker, options.log)
  logFailures(worker, options.log)
  const queue = { redis, name: PLAN_QUEUE, prefix: prefixOf(PLAN_QUEUE) }
  return {
    ready: () => takesJobs(queue, refusals(worker, options.log)),
    close: async (deadlineMs) => {
      aborter.abort(new Error('the worker is shutting down'))
      const clean = await endsWithin(deadlineMs, worker.close())
      if (!clean) await endsWithin(100, worker.close(true))
      disconnect(redis)
      return clean
    },
  }
}
