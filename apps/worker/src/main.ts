import { runProgram } from '@fanfare/runtime'
import { readConfig } from './config.ts'
import { WorkerService } from './service.ts'

await runProgram({
  app: 'worker',
  open: () => WorkerService.create(readConfig(), { onStuck: () => process.exit(1) }),
  exitMs: 21_000,
})
