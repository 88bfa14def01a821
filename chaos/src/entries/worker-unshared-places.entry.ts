/** A worker whose places are whose comes first. */
import { runWorker } from './run-worker.ts'

await runWorker({ share: () => ({ app: Number.POSITIVE_INFINITY, channel: Number.POSITIVE_INFINITY }) })
