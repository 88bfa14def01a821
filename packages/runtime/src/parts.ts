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
import { type ChannelHints, type JobQueues, openChannelHints, openJobs } from '@fanfare/queue'
import { type Connection, connect, disconnect } from '@fanfare/redis'
import { openStore } from '@fanfare/storage'
import type { CommonConfig } from './config.ts'
import { openLog } from './log.ts'

/** What every process works with; tests and embedders may give their own. */
export type CommonParts = {
  store: Store
  pushers: Pushers
  limiter: Limiter
  jobs: JobQueues
  hints: ChannelHints
  /** For short commands: access tokens, requests counted, lines of requests. */
  redis: Connection
  /** Proves credentials at their upload, and opens those that an older version stored as they came. */
  prover: Prover
  /** Asked about every address that a tenant writes. */
  guard: AddressGuard
  log: Log
}

/** What a process opened for itself; `close` leaves what it was given to whoever gave it. */
export type Opened<Parts> = { parts: Parts; close(): Promise<void> }

/** Opened by `own`, closed last first by `close`; what was given belongs to whoever gave it. */
export class Owned {
  readonly #closers: (() => unknown)[] = []

  own<T>(part: T, close: (part: T) => unknown): T {
    this.#closers.push(() => close(part))
    return part
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) await close()
  }
}

/** Opens every part that is not given. Rejects where the store cannot be opened; Redis may be down. */
export async function openCommonParts(
  config: CommonConfig,
  given: Partial<CommonParts>,
  { app, owned }: { app: string; owned: Owned },
): Promise<CommonParts> {
  const closed = <T extends { close(): unknown }>(part: T): T => owned.own(part, (it) => it.close())
  const log = given.log ?? openLog(app, config.logLevel)
  const store = given.store ?? closed(await openStore(config.storeUrl, storeOptions(config)))
  const redis = given.redis ?? owned.own(connect(config.redisUrl, 'short'), disconnect)
  const guard = given.guard ?? openAddressGuard({ allowed: config.allowedAddresses })
  const prover = given.prover ?? closed(openProver())
  const limiter = given.limiter ?? closed(openLimiter(config.redisUrl, { log }))
  const use = { store, limiter, redis, log, guard, prover }
  return {
    ...use,
    hints: given.hints ?? closed(openChannelHints(config.redisUrl)),
    jobs: given.jobs ?? closed(openJobs(config.redisUrl)),
    pushers: given.pushers ?? closed(await pushersOf(config, use)),
  }
}

/** As `openStore` of packages/storage takes them. */
export const storeOptions = ({ masterKey, masterKeys, storeSync, maxDevicesPerUser }: CommonConfig) => ({
  masterKey: masterKeys ?? masterKey,
  sync: storeSync,
  maxDevicesPerUser,
})

type PushersUse = Omit<CommonParts, 'hints' | 'jobs' | 'pushers'>

async function pushersOf(config: CommonConfig, { store, ...use }: PushersUse): Promise<Pushers> {
  const ca = config.vendorCa === undefined ? undefined : await readFile(config.vendorCa, 'utf8')
  const accounts = new Accounts({ store, limiter: use.limiter, identify })
  return openPushers({
    credentialOf: (channelId) => store.channels.credential(channelId),
    lease: (name, holder, leaseMs) => store.lease(name, holder, leaseMs),
    prove: (channel, credential) => accounts.prove(channel, credential),
    ...use,
    ...{ vendorUrl: config.vendorUrl, smtp: config.vendorSmtp, ca },
  })
}
