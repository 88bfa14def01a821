/**
 * A worker that writes the results of many apps in one call, all or none, into a ledger that throws at a reason named
 * like a member of every object, as one does that keeps reasons in an object.
 */
import type { Store } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { readConfig } from '@fanfare/worker'
import { runWorker } from './run-worker.ts'

const config = readConfig()
const store = await openStore(config.storeUrl, { masterKey: config.masterKey, sync: config.storeSync })

const write: Store['chunks']['write'] = async (writes) => {
  const reasons = writes.flatMap(({ outcomes = [] }) => outcomes.map(([, , reason]) => reason))
  if (reasons.some((reason) => reason !== undefined && reason in Object.prototype)) {
    throw new TypeError('members.push is not a function')
  }
  return store.chunks.write(writes)
}
await runWorker({
  store: { ...store, chunks: { ...store.chunks, write } },
  writeLedger: (plain, writes) => plain(writes),
})
