import type { At, TaskRate, WindowOptions, writeLedger } from '@fanfare/core'
import { openTaskRate, type ShareRule } from '@fanfare/queue'
import { type CommonParts, type Opened, Owned, openCommonParts } from '@fanfare/runtime'
import type { WorkerConfig } from './config.ts'

/** The parts of a worker that tests and embedders may replace. */
export type Parts = CommonParts & {
  taskRate: TaskRate
  /** How the window and the places of a worker are shared; only chaos entries set them. */
  placesOf?: WindowOptions['placesOf']
  /** How results are written; chaos entries show what happens otherwise. */
  writeLedger?: typeof writeLedger
  share?: ShareRule
  /** Tasks planned side by side; only chaos entries set it. */
  plansAtOnce?: number
  /** Crash points: called at each await of the commit path. Production never sets it. */
  at?: At
}

/** Opens every part that is not given. Rejects where the store cannot be opened; Redis may be down. */
export async function openParts(config: WorkerConfig, given: Partial<Parts>): Promise<Opened<Parts>> {
  const owned = new Owned()
  const common = await openCommonParts(config, given, { app: 'worker', owned })
  const taskRate = given.taskRate ?? owned.own(openTaskRate(config.redisUrl), (it) => it.close())
  return { parts: { ...given, ...common, taskRate }, close: () => owned.close() }
}
