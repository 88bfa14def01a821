import { readFile } from 'node:fs/promises'
import {
  Accounts,
  type At,
  type Limiter,
  type Log,
  type Pushers,
  type Store,
  type TaskRate,
  type WindowOptions,
  type writeLedger,
} from '@fanfare/core'
import {
  type AddressGuard,
  identify,
  openAddressGuard,
  openLimiter,
  openProver,
  openPushers,
  type Prover,
} from '@fanfare/platforms'
import {
  type ChannelHints,
  type JobQueues,
  openChannelHints,
  openJobs,
  openTaskRate,
  type ShareRule,
} from '@fanfare/queue'
import { connect, disconnect } from '@fanfare/redis'
import { openStore } from '@fanfare/storage'
import pino from 'pino'
import type { WorkerConfig } from './config.ts'

/** The parts of a worker that tests and embedders may replace. */
export type Parts = {
  store: Store
  pushers: Pushers
  /** Opens credentials that an older version stored as they were uploaded. */
  prover: Prover
  /** For the servers that tenants name. */
  guard: AddressGuard
  limiter: Limiter
  taskRate: TaskRate
  jobs: JobQueues
  hints: ChannelHints
  log: Log
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

/** What was opened here is closed last first; what was given belongs to whoever gave it. */
export type Opened = { parts: Parts; close(): Promise<void> }

/** Opens every part that is not given. Rejects where the store cannot be opened; Redis may be down. */
export async function openParts(config: WorkerConfig, given: Partial<Parts>): Promise<Opened> {
  const closers: (() => unknown)[] = []
  const own = <T extends { close(): unknown }>(part: T): T => {
    closers.push(() => part.close())
    return part
  }
  const log = given.log ?? openLog(config.logLevel)
  const store = given.store ?? own(await openStore(config.storeUrl, storeOptions(config)))
  const guard = given.guard ?? openAddressGuard({ allowed: config.allowedAddresses })
  const prover = given.prover ?? own(openProver())
  const limiter = given.limiter ?? own(openLimiter(config.redisUrl, { log }))
  const parts: Parts = {
    guard,
    prover,
    log,
    store,
    hints: given.hints ?? own(openChannelHints(config.redisUrl)),
    jobs: given.jobs ?? own(openJobs(config.redisUrl)),
    taskRate: given.taskRate ?? own(openTaskRate(config.redisUrl)),
    limiter,
    pushers: given.pushers ?? own(await pushersOf(config, { store, limiter, log, guard, prover })),
    ...(given.writeLedger && { writeLedger: given.writeLedger }),
    ...(given.at && { at: given.at }),
    ...(given.placesOf && { placesOf: given.placesOf }),
    ...(given.share && { share: given.share }),
    ...(given.plansAtOnce && { plansAtOnce: given.plansAtOnce }),
  }
  return { parts, close: () => closeAll(closers) }
}

/** JSON lines on stderr; stdout carries the ready line alone. */
const openLog = (level: string): Log => pino({ level, base: { app: 'worker' } }, pino.destination(2))

const storeOptions = ({ masterKey, masterKeys, storeSync, maxDevicesPerUser }: WorkerConfig) => ({
  masterKey: masterKeys ?? masterKey,
  sync: storeSync,
  maxDevicesPerUser,
})

type PushersUse = { store: Store; limiter: Limiter; log: Log; guard: AddressGuard; prover: Prover }

async function pushersOf(config: WorkerConfig, to: PushersUse): Promise<Pushers> {
  const ca = config.vendorCa === undefined ? undefined : await readFile(config.vendorCa, 'utf8')
  const redis = connect(config.redisUrl, 'short')
  const { store, limiter, ...use } = to
  const credentialOf = (channelId: string) => store.channels.credential(channelId)
  const lease: Store['lease'] = (name, holder, leaseMs) => store.lease(name, holder, leaseMs)
  const accounts = new Accounts({ store, limiter, identify })
  const prove: Accounts['prove'] = (channel, credential) => accounts.prove(channel, credential)
  const endpoints = { vendorUrl: config.vendorUrl, smtp: config.vendorSmtp, ca }
  const pushers = openPushers({ credentialOf, lease, prove, redis, ...use, ...endpoints })
  return {
    for: (channel) => pushers.for(channel),
    drop: (channelId) => pushers.drop(channelId),
    close: async () => {
      await pushers.close()
      disconnect(redis)
    },
  }
}

async function closeAll(closers: (() => unknown)[]): Promise<void> {
  for (const close of closers.reverse()) await close()
}
