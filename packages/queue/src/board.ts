import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import { Queue } from 'bullmq'
import { Router } from 'express'
import { disconnect, producerConnection } from './connections.ts'
import { PLAN_QUEUE, QUEUE_PLATFORMS, queueOptions } from './jobs.ts'

export type Board = { router: Router; close(): Promise<void> }

/**
 * Bull Board over all queues, one per vendor. The caller mounts `router` at `basePath`, behind the operator's token.
 * Read-only where `readOnly`: the ledger, not the queue, decides what is sent, so jobs are looked at rather than edited.
 */
export function boardRouter(redisUrl: string, basePath: string): Board {
  const redis = producerConnection(redisUrl)
  const queues = [...QUEUE_PLATFORMS, PLAN_QUEUE].map((name) => new Queue(name, queueOptions(name, redis)))
  for (const queue of queues) queue.on('error', () => undefined)
  const serverAdapter = new ExpressAdapter()
  serverAdapter.setBasePath(basePath)
  const adapters = queues.map((queue) => new BullMQAdapter(queue, { readOnlyMode: true }))
  createBullBoard({ queues: adapters, serverAdapter })
  const router = Router()
  router.use(serverAdapter.getRouter())
  return {
    router,
    close: async () => {
      await Promise.all(queues.map((queue) => queue.close().catch(() => undefined)))
      disconnect(redis)
    },
  }
}
