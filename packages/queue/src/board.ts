import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { ExpressAdapter } from '@bull-board/express'
import { connect, disconnect } from '@fanfare/redis'
import { Queue } from 'bullmq'
import { Router } from 'express'
import { QUEUES } from './connections.ts'
import { queueOptions } from './jobs.ts'

export type Board = { router: Router; close(): Promise<void> }

/**
 * Bull Board over all queues, one per vendor. The caller mounts `router` at `basePath`, behind the operator's token.
 * Read-only where `readOnly`: the ledger, not the queue, decides what is sent, so jobs are looked at rather than edited.
 */
export function boardRouter(redisUrl: string, basePath: string): Board {
  const redis = connect(redisUrl, 'short')
  const queues = QUEUES.map((name) => new Queue(name, queueOptions(name, redis)))
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
