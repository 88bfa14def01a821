/** A worker whose sweeper never runs: what Redis or a killed worker lost stays lost. */
import { runWorker } from './run-worker.ts'

await runWorker({ sweeper: false })
