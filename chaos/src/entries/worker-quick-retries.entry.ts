/** A worker whose deferred members come round ten times sooner than in production. */
import { runWorker } from './run-worker.ts'

await runWorker({}, { retryFirstMs: 1000, retryMaxMs: 60_000 })
