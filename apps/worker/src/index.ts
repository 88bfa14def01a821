export { readConfig, WORKER_DEFAULTS, type WorkerConfig } from './config.ts'
export type { Counters } from './context.ts'
export { type WorkerOverrides, WorkerService } from './service.ts'
