import { ApiService, readConfig } from '@fanfare/api'

/** What of an API may be replaced. */
export type ApiOverrides = NonNullable<Parameters<typeof ApiService.create>[1]>

/** Runs an API as apps/api/src/main.ts does, with parts replaced. */
export async function runApi(overrides: ApiOverrides): Promise<void> {
  const service = await ApiService.create(readConfig(), overrides)
  await service.start()
  process.stdout.write(`${JSON.stringify({ ready: true, url: service.url })}\n`)
  process.once('SIGTERM', () => void service.destroy().then(() => process.exit(0)))
}
