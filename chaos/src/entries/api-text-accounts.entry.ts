/** An API whose limits are counted by what tenants wrote. */
import { readConfig } from '@fanfare/api'
import { runApi } from './run-api.ts'
import { textLimiter } from './text-limiter.ts'

await runApi({ limiter: textLimiter(readConfig().redisUrl) })
