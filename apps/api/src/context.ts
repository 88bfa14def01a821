import { type KeyObject, randomUUID } from 'node:crypto'
import {
  Accounts,
  type App,
  acceptError,
  Batcher,
  type Channel,
  type CreateResult,
  type DeviceStore,
  Ids,
  type NewTask,
  type Store,
  StoreClock,
  StoreDownError,
  type SyncPlaces,
  Vendors,
} from '@fanfare/core'
import { identify } from '@fanfare/platforms'
import { MemoryGuard } from '@fanfare/queue'
import { within } from '@fanfare/redis'
import type { CommonParts } from '@fanfare/runtime'
import { derivedKey } from './auth/keys.ts'
import { Tokens } from './auth/tokens.ts'
import { Background } from './background.ts'
import { Cached } from './cached.ts'
import type { ApiConfig } from './config.ts'
import { Sockets } from './http/sockets.ts'
import { Backlogs } from './limits/backlog.ts'
import { Failures, InFlight } from './limits/limits.ts'
import { Lines } from './limits/lines.ts'
import { SharedSyncPlaces } from './limits/sync-places.ts'

/** The parts of the API that tests and embedders may replace. */
export type Parts = CommonParts & {
  /** The bounds on connections; chaos tests show what happens without them. */
  sockets?: Sockets
  /** Shares the places of synchronous pushes; chaos tests show what happens without. */
  syncPlaces?: SyncPlaces
  /** Crash points: called at each await of the commit path. Production never sets it. */
  at?: (point: string) => void | Promise<void>
}

type Asked = readonly { appId: string; userId: string }[]

/** Store calls that concurrent requests share: those of one tick are one round trip (docs/limits.md §2). */
export type Shared = {
  devices: Pick<DeviceStore, 'ofUsers' | 'usersExist'>
  create: Batcher<NewTask, CreateResult>
}

/** What every route works with; made in one place, plain. */
export type ApiContext = Parts & {
  config: ApiConfig
  /** Whose limit each channel counts against. */
  accounts: Accounts
  ids: Ids
  /** The store's: whatever is compared with an instant of the store is read from it. */
  clock: StoreClock
  tokens: Tokens
  /** By `org/name`. */
  apps: Cached<App>
  channels: Cached<Channel>
  shared: Shared
  /** The first makes fingerprints, all recognise them. */
  fingerprintKeys: readonly KeyObject[]
  inFlight: InFlight
  /** Requests of nobody proven that ask the store; they take no place of `inFlight`. */
  guests: InFlight
  sockets: Sockets
  /** Of synchronous pushes: slow vendors must not take the places of all other requests. */
  syncPlaces: SyncPlaces
  failures: Failures
  /** How full Redis is. */
  memory: MemoryGuard
  /** Tasks of one app are made one after the other, so that its limits hold exactly. */
  lines: Lines
  backlogs: Backlogs
  /** As the workers have them, for synchronous pushes. */
  vendors: Vendors
  /** What goes on after an answer was given (enqueuing); ended before the parts are closed. */
  background: Background
  /** False from the moment the process begins to stop. */
  ready: boolean
}

/** Changes of an app's settings and of its channels take effect in every process within this. */
const CACHE_MS = 1500
const MISSING_MS = 500
const MAX_CACHED = 10_000
const MAX_GUESTS = 100
/** A store that needs longer is down for the caller; the batch may still be applied. */
const STORE_DEADLINE_MS = 4000

export function createContext(config: ApiConfig, parts: Parts): ApiContext {
  const { store } = parts
  const masterKeys = config.masterKeys ?? [config.masterKey]
  const clock = new StoreClock(store)
  const cache = { foundMs: CACHE_MS, missingMs: MISSING_MS, maxEntries: MAX_CACHED }
  const channels = new Cached({ ...cache, load: async (id: string) => (await store.channels.byIds([id]))[0] })
  return {
    ...parts,
    vendors: vendorsOf(parts, clock, channels),
    config,
    accounts: new Accounts({ store, limiter: parts.limiter, identify }),
    ids: new Ids((count) => store.takeIds(count)),
    clock,
    tokens: new Tokens(masterKeys, store, parts.log, clock),
    apps: new Cached({ ...cache, load: (name) => loadApp(store, name) }),
    channels,
    shared: sharedCalls(store, config.storeUrl.startsWith('mongodb') ? 4 : 1),
    fingerprintKeys: masterKeys.map((key) => derivedKey(key, 'idempotency fingerprints')),
    inFlight: new InFlight(config.maxInFlight),
    guests: new InFlight(MAX_GUESTS),
    sockets: parts.sockets ?? new Sockets(config),
    syncPlaces: parts.syncPlaces ?? new SharedSyncPlaces(config.maxInFlight),
    failures: new Failures(),
    memory: new MemoryGuard({ use: () => parts.jobs.memoryUse(config.redisMaxMemoryBytes), log: parts.log }),
    lines: new Lines(store),
    backlogs: new Backlogs(store),
    background: new Background(),
    ready: true,
  }
}

function vendorsOf(
  { store, log, hints, pushers, limiter }: Parts,
  clock: StoreClock,
  channels: Cached<Channel>,
): Vendors {
  const onChange = (channelId: string) => {
    channels.drop(channelId)
    pushers.drop(channelId)
    hints.publish(channelId).catch(() => undefined)
  }
  const channelOf = (id: string) => channels.get(id)
  const given = { store, pushers, limiter, log, holder: `api-${randomUUID()}` }
  return new Vendors({ ...given, now: () => clock.now(), channelOf, onChange })
}

/** SQLite works in this thread, one write at a time; over a network several batches may be under way. */
function sharedCalls(store: Store, inFlight: number): Shared {
  const options = { maxItems: 256, inFlight, apart: true }
  const ofUsers = new Batcher((lists: Asked[]) => spread(lists, (asked) => store.devices.ofUsers(asked)), options)
  const usersExist = new Batcher((lists: Asked[]) => spread(lists, (asked) => store.devices.usersExist(asked)), options)
  return {
    devices: { ofUsers: (asked) => ofUsers.add(asked), usersExist: (asked) => usersExist.add(asked) },
    create: new Batcher((tasks) => accept(store, tasks), options),
  }
}

async function accept(store: Store, tasks: readonly NewTask[]): Promise<CreateResult[]> {
  try {
    return await inTime(store.tasks.create(tasks))
  } catch (error) {
    throw acceptError(error)
  }
}

/** One call for many lists; the answers are dealt out again in the same lengths. */
async function spread<R>(lists: readonly Asked[], ask: (asked: Asked) => Promise<R[]>): Promise<R[][]> {
  const answers = await inTime(ask(lists.flat()))
  let from = 0
  return lists.map((list) => {
    const part = answers.slice(from, from + list.length)
    from += list.length
    return part
  })
}

const inTime = <T>(work: Promise<T>): Promise<T> =>
  within(STORE_DEADLINE_MS, work, () => {
    throw new StoreDownError('no answer in time')
  })

async function loadApp(store: Store, name: string): Promise<App | undefined> {
  const slash = name.indexOf('/')
  const [org, app] = [name.slice(0, slash), name.slice(slash + 1)]
  if (org === 'app-id') return (await store.apps.byIds([app]))[0]
  return store.apps.byName(org, app)
}
