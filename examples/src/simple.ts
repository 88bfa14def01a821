/**
 * The library parts alone, without Redis and without the HTTP API: registers a token and sends it a push.
 *
 *   MONGO_URI=mongodb://localhost:27017/fanfare npm run example
 *   STORE_URL=sqlite:./data/example.db npm run example
 *
 * The vendor is the simulator, started in this process. With a real service account leave `vendorUrl` and `ca` out.
 */
import { randomBytes } from 'node:crypto'
import { DEFAULT_LIMITS, Ids, pushNow, Vendors } from '@fanfare/core'
import { openPushers } from '@fanfare/platforms'
import { startSimulator } from '@fanfare/simulator'
import { openStore } from '@fanfare/storage'
import { notifierBody } from '@fanfare/testkit'
import { storeUrl } from './config.ts'

const store = await openStore(storeUrl(), { masterKey: randomBytes(32) })
const simulator = await startSimulator()
const pushers = openPushers({
  credentialOf: (channelId) => store.channels.credential(channelId),
  vendorUrl: simulator.url,
  ca: simulator.caPem,
})
const channelOf = async (id: string) => (await store.channels.byIds([id]))[0]
const vendors = new Vendors({ store, pushers, holder: 'example', now: Date.now, channelOf })
const ids = new Ids((count) => store.takeIds(count))

try {
  // One app with one FCM channel; both are new in every run, so nothing that is there already is touched.
  const appId = await ids.next()
  const channelId = await ids.next()
  const name = `example-${appId}`
  await store.apps.insert({ id: appId, org: 'example', name, clientId: name, clientSecretHash: '', settings: {} })
  const channel = { id: channelId, appId, platform: 'fcm', name, limits: DEFAULT_LIMITS.fcm, settings: {} } as const
  await store.channels.insert(channel, notifierBody('fcm', name).certificate)

  await store.devices.bind([
    { id: await ids.next(), appId, userId: 'alice', deviceId: 'phone', channelId, token: `ok-${appId}` },
  ])
  console.log('registered a token of alice')

  const message = { title: 'Hello', content: 'Sent by the library parts alone' }
  const answer = await pushNow({ store, vendors, ids }, { appId, userId: 'alice', message, route: ['vendor'] })
  console.log('pushed:', JSON.stringify(answer))
  console.log('the ledger says:', JSON.stringify('taskId' in answer ? await store.tasks.counts(answer.taskId) : answer))
} finally {
  await pushers.close()
  await simulator.close()
  await store.close()
}
