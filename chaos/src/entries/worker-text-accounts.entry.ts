/** A worker whose limits are counted by what tenants wrote. */
import { readConfig } from '@fanfare/worker'
import { runWorker } from './run-worker.ts'
import { textLimiter } from './text-limiter.ts'

await runWorker({ limiter: textLimiter(readConfig().redisUrl) })
