/**
 * A planner that moves its cursor in a write of its own, after that of the chunks: what docs/reliability.md T71
 * forbids. It may end itself between the two; the first argument is a Crash as JSON.
 */
import type { Store } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { readConfig } from '@fanfare/worker'
import { crashPoints } from './crash-points.ts'
import { runWorker } from './run-worker.ts'

const crash = crashPoints(process.argv[2])
const config = readConfig()
const store = await openStore(config.storeUrl, { masterKey: config.masterKey, sync: config.storeSync })

const addPlanned: Store['tasks']['addPlanned'] = async (id, index, from, page) => {
  const added = await store.tasks.addPlanned(id, index, from, { ...page, cursor: from, done: false })
  crash('between')
  return added && store.tasks.addPlanned(id, index, from, { ...page, chunks: [] })
}
await runWorker({ store: { ...store, tasks: { ...store.tasks, addPlanned } } }, { planPageSize: 1000 })
