import { readFile } from 'node:fs/promises'
import { Accounts, type Limiter, type Log, type Pushers, type Store } from '@fanfare/core'
import {
  type AddressGuard,
  identify,
  openAddressGuard,
  openLimiter,
  openProver,
  openPushers,
  type Prover,
} from '@fanfare/platforms'
import { openChannelHints, openJobs } from '@fanfare/queue'
import { type Connection, connect, disconnect } from '@fanfare/redis'
import { openStore } from '@fanfare/storage'
import type { ApiConfig } from './config.ts'
import type { Parts } from './context.ts'
import { openLog } from './log.ts'

/** What was opened here, last first: overrides belong to whoever passed them in. */
export type Opened = { parts: Parts; close(): Promise<void> }
type Close = () => unknown

/** Opens every part that is not given. Rejects where the store cannot be opened; Redis may be down. */
export async function openParts(config: ApiConfig, given: Partial<Parts>): Promise<Opened> {
  const closers: Close[] = []
  const own = <T>(part: T, close: (part: T) => unknown): T => {
    closers.push(() => close(part))
    return part
  }
  const log = given.log ?? openLog(config.logLevel)
  const store = given.store ?? own(await openStore(config.storeUrl, storeOptions(config)), (it) => it.close())
  const redis = given.redis ?? own(connect(config.redisUrl, 'short'), disconnect)
  const guard = given.guard ?? openAddressGuard({ allowed: config.allowedAddresses })
  const prover = given.prover ?? own(openProver(), (it) => it.close())
  const limiter = given.limiter ?? own(openLimiter(config.redisUrl, { log }), (it) => it.close())
  const parts: Parts = {
    guard,
    prover,
    log,
    store,
    redis,
    hints: given.hints ?? own(openChannelHints(config.redisUrl), (it) => it.close()),
    jobs: given.jobs ?? own(openJobs(config.redisUrl), (it) => it.close()),
    limiter,
    ...(given.syncPlaces && { syncPlaces: given.syncPlaces }),
    pushers:
      given.pushers ?? own(await pushersOf(config, { store, limiter, redis, log, guard, prover }), (it) => it.close()),
    ...(given.at && { at: given.at }),
    ...(given.sockets && { sockets: given.sockets }),
  }
  return { parts, close: () => closeAll(closers) }
}

const storeOptions = ({ masterKey, masterKeys, storeSync, maxDevicesPerUser }: ApiConfig) => ({
  masterKey: masterKeys ?? masterKey,
  sync: storeSync,
  maxDevicesPerUser,
})

type PushersUse = { store: Store; limiter: Limiter; redis: Connection; log: Log; guard: AddressGuard; prover: Prover }

async function pushersOf(config: ApiConfig, to: PushersUse): Promise<Pushers> {
  const ca = config.vendorCa === undefined ? undefined : await readFile(config.vendorCa, 'utf8')
  const { store, limiter, ...use } = to
  const credentialOf = (channelId: string) => store.channels.credential(channelId)
  const lease: Store['lease'] = (name, holder, leaseMs) => store.lease(name, holder, leaseMs)
  const accounts = new Accounts({ store, limiter, identify })
  const prove: Accounts['prove'] = (channel, credential) => accounts.prove(channel, credential)
  const endpoints = { vendorUrl: config.vendorUrl, smtp: config.vendorSmtp, ca }
  return openPushers({ credentialOf, lease, prove, ...use, ...endpoints })
}

async function closeAll(closers: Close[]): Promise<void> {
  for (const close of closers.reverse()) await close()
}
