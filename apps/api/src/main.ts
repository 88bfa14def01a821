import { runProgram } from '@fanfare/runtime'
import { readConfig } from './config.ts'

await runProgram({
  app: 'api',
  open: async () => {
    const config = readConfig()
    // Loaded only once the settings are right: what is wrong with them is then said at once.
    const { ApiService } = await import('./service.ts')
    return ApiService.create(config)
  },
  ready: ({ url }) => ({ url }),
  exitMs: 20_000,
})
