/** A worker in whose window what does not move takes places, and no app is sure of one. */
import { runWorker } from './run-worker.ts'

await runWorker({
  placesOf: (rows, most) => ({ free: most - rows.reduce((sum, row) => sum + row.open, 0), sure: 0 }),
})
