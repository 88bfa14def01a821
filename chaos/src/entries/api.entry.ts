/**
 * An API process that ends itself with SIGKILL at a named await of the commit path: the first argument is an
 * ApiCrash as JSON. Tells its parent each point that it passes for the first time.
 */
import { crashPoints } from './crash-points.ts'
import { runApi } from './run-api.ts'

await runApi({ at: crashPoints(process.argv[2]) })
