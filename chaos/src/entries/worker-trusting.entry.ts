/** A worker whose limiter takes every Redis for the one before, as if replication lost nothing. */
import { openLimiter } from '@fanfare/platforms'
import { readConfig } from '@fanfare/worker'
import { runWorker } from './run-worker.ts'

await runWorker({
  limiter: openLimiter(readConfig().redisUrl, { identityOf: () => Promise.resolve('always the same') }),
})
