import { readConfig } from './config.ts'
import { WorkerService } from './service.ts'

/** Whatever happens, the process is gone this long after a stop was asked for (docs/reliability.md §0.11). */
const EXIT_MS = 21_000

async function main(): Promise<void> {
  const worker = await WorkerService.create(readConfig(), { onStuck: () => process.exit(1) })
  await worker.start()
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), EXIT_MS).unref()
    worker.destroy().then(
      (clean) => process.exit(clean ? 0 : 1),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // Only now: whoever reads it may stop the process at once.
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
}

main().catch((error: unknown) => {
  const msg = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${JSON.stringify({ level: 60, app: 'worker', msg })}\n`)
  process.exit(1)
})
