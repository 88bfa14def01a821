/** A worker that keeps the chunks of paused channels in Redis. */
import { openStore } from '@fanfare/storage'
import { readConfig } from '@fanfare/worker'
import { runWorker } from './run-worker.ts'

const config = readConfig()
const store = await openStore(config.storeUrl, { masterKey: config.masterKey, sync: config.storeSync })

await runWorker({
  store: { ...store, chunks: { ...store.chunks, park: (refs) => Promise.resolve(refs.map(() => false)) } },
})
