/** A worker that keeps the chunks of paused channels in Redis. */
import { runWorker } from './run-worker.ts'
import { unparkedStore } from './unparked.ts'

await runWorker({ store: await unparkedStore() })
