import type { Jobs } from '../ports/jobs.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store/store.ts'

/** What the sweeper works with. */
export type SweepContext = {
  store: Store
  log: Log
  /** Names this process among others. */
  holder: string
  jobs: Pick<Jobs, 'enqueue' | 'present'> & { enqueuePlan(taskId: string, of: { appId: string }): Promise<void> }
  /** Chunks may go on waiting: whoever promotes them is told. */
  window: { topUp(): void }
  /** How full Redis is. */
  memory: { readonly isHigh: boolean; readonly isFull: boolean }
  /** Chunks brought back, by reason. */
  counters: { rescued: Record<string, number> }
  config: {
    sweepMs: number
    /** What was enqueued a moment ago is not lost yet. */
    graceMs: number
  }
}
