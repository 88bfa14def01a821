/** A worker that reads credentials in its event loop. */
import { proverHere } from './prover-here.ts'
import { runWorker } from './run-worker.ts'

await runWorker({ prover: proverHere })
