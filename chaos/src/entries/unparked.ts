import type { Store } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { readConfig } from '@fanfare/worker'

/** The store of a worker that keeps the chunks of paused channels in Redis. */
export async function unparkedStore(): Promise<Store> {
  const config = readConfig()
  const store = await openStore(config.storeUrl, { masterKey: config.masterKey, sync: config.storeSync })
  return { ...store, chunks: { ...store.chunks, park: (refs) => Promise.resolve(refs.map(() => false)) } }
}
