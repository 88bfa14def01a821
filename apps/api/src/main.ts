import { readConfig } from './config.ts'

/** A stop that takes longer than this is cut short (docs/reliability.md §6). */
const EXIT_MS = 20_000

async function main(): Promise<void> {
  const config = readConfig()
  // Loaded only once the settings are right: what is wrong with them is then said at once.
  const { ApiService } = await import('./service.ts')
  const service = await ApiService.create(config)
  await service.start()
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    setTimeout(() => process.exit(1), EXIT_MS).unref()
    service.destroy().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // Only now: whoever reads it may stop the process at once.
  process.stdout.write(`${JSON.stringify({ ready: true, url: service.url })}\n`)
}

main().catch((error: unknown) => {
  process.stderr.write(
    `${JSON.stringify({ level: 60, app: 'api', msg: error instanceof Error ? error.message : String(error) })}\n`,
  )
  process.exit(1)
})
