/** An API that takes every address that a tenant writes, and connects to it. */
import { noGuard } from './no-guard.ts'
import { runApi } from './run-api.ts'

await runApi({ guard: noGuard })
