import { readConfig, type WorkerConfig, type WorkerOverrides, WorkerService } from '@fanfare/worker'

/** Runs a worker as apps/worker/src/main.ts does, with settings and parts replaced. */
export async function runWorker(overrides: WorkerOverrides, settings: Partial<WorkerConfig> = {}): Promise<void> {
  const worker = await WorkerService.create({ ...readConfig(), ...settings }, overrides)
  await worker.start()
  process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
  process.once('SIGTERM', () => void worker.destroy().then((clean) => process.exit(clean ? 0 : 1)))
}
