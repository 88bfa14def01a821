/** An API that queues pushes of paused channels too, and all of them in the order in which they come. */
import { readConfig } from '@fanfare/api'
import type { NewChunk, Store } from '@fanfare/core'
import { openJobs } from '@fanfare/queue'
import { openStore } from '@fanfare/storage'
import { runApi } from './run-api.ts'

const config = readConfig()
const store = await openStore(config.storeUrl, { masterKey: config.masterKey, sync: config.storeSync })

const queued = (chunk: NewChunk): NewChunk => (chunk.state === 'waiting' ? { ...chunk, state: 'planned' } : chunk)
const create: Store['tasks']['create'] = (tasks) =>
  store.tasks.create(tasks.map((task) => (task.chunks ? { ...task, chunks: task.chunks.map(queued) } : task)))

await runApi({
  store: { ...store, tasks: { ...store.tasks, create } },
  jobs: openJobs(config.redisUrl, { crowd: false }),
})
