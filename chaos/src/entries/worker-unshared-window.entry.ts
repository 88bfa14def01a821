/** A worker in whose window what does not move stays and takes places, and no app is sure of one. */
import { runWorker } from './run-worker.ts'
import { unparkedStore } from './unparked.ts'

await runWorker({
  store: await unparkedStore(),
  placesOf: (rows, most) => ({ free: most - rows.reduce((sum, row) => sum + row.open, 0), sure: 0 }),
})
