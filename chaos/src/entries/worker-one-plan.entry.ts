/** A worker that plans one task after the other, each to its end. */
import { runWorker } from './run-worker.ts'

await runWorker({ plansAtOnce: 1 })
