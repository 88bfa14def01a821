/** An API that reads credentials in its event loop. */
import { proverHere } from './prover-here.ts'
import { runApi } from './run-api.ts'

await runApi({ prover: proverHere })
