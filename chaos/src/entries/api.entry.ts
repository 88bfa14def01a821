/**
 * An API process that ends itself with SIGKILL at a named await of the commit path: the first argument is an
 * ApiCrash as JSON. Tells its parent each point that it passes for the first time.
 */
import { ApiService, readConfig } from '@fanfare/api'
import { crashPoints } from './crash-points.ts'

const service = await ApiService.create(readConfig(), { at: crashPoints(process.argv[2]) })
await service.start()
process.stdout.write(`${JSON.stringify({ ready: true, url: service.url })}\n`)
process.once('SIGTERM', () => void service.destroy().then(() => process.exit(0)))
