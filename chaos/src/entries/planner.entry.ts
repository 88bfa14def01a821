/** A worker that ends itself with SIGKILL at an await of the planner: the first argument is a Crash as JSON. */
import { crashPoints } from './crash-points.ts'
import { runWorker } from './run-worker.ts'

const POINTS = new Set(['before-plan', 'before-page', 'after-page'])
const crash = crashPoints(process.argv[2])
const at = (point: string): void => {
  if (POINTS.has(point)) crash(point)
}
await runWorker({ at }, { planPageSize: 1000 })
