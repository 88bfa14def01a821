/** A worker that connects to whatever a tenant wrote. */
import { noGuard } from './no-guard.ts'
import { runWorker } from './run-worker.ts'

await runWorker({ guard: noGuard })
