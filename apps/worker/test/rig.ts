import { generateKeyPairSync, randomBytes } from 'node:crypto'
import {
  type Channel,
  type ChannelLimits,
  type ChunkWrite,
  Ids,
  type Log,
  type NewChunk,
  type NewTask,
  type Outcome,
  type Store,
  type Task,
} from '@fanfare/core'
import { type JobQueues, openJobs } from '@fanfare/queue'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { openStore } from '@fanfare/storage'
import { type RedisSet, redisOfProject, tempDir } from '@fanfare/testkit'
import { WORKER_DEFAULTS, type WorkerConfig, type WorkerOverrides, WorkerService } from '@fanfare/worker'

type LogLine = { level: 'info' | 'warn' | 'error'; text: string } & Record<string, unknown>

/** Everything of a worker test: Redis, a store file, the simulator, and workers made as needed. */
export class Rig {
  readonly redis: RedisSet
  readonly simulator: Simulator
  readonly store: Store
  readonly jobs: JobQueues
  readonly config: WorkerConfig
  readonly logged: LogLine[] = []
  readonly #ids: Ids
  readonly #workers = new Set<WorkerService>()
  readonly #tasks = new Set<string>()

  private constructor(parts: { redis: RedisSet; simulator: Simulator; store: Store; config: WorkerConfig }) {
    this.redis = parts.redis
    this.simulator = parts.simulator
    this.store = parts.store
    this.config = parts.config
    this.jobs = openJobs(parts.redis.url)
    this.#ids = new Ids((count) => parts.store.takeIds(count))
  }

  /** On a SQLite file of its own, or on the database that `mongoUrl` names. */
  static async start(mongoUrl?: string): Promise<Rig> {
    const [redis, dir] = await Promise.all([redisOfProject(), tempDir('worker')])
    const simulator = await startSimulator({ caFile: `${dir}/ca.pem` })
    const masterKey = randomBytes(32)
    const storeUrl = mongoUrl ?? `sqlite:${dir}/store.db`
    const store = await openStore(storeUrl, { masterKey, sync: 'normal' })
    const vendor = { vendorUrl: simulator.url, vendorCa: `${dir}/ca.pem` }
    const config = { ...WORKER_DEFAULTS, ...FAST, ...vendor, storeUrl, masterKey, redisUrl: redis.url }
    return new Rig({ redis, simulator, store, config })
  }

  async stop(): Promise<void> {
    await this.stopWorkers()
    await this.jobs.close()
    await this.store.close()
    await Promise.all([this.simulator.close(), this.redis.stop()])
  }

  /** Starts a worker with a store of its own, as a process of its own would have. */
  async worker(overrides: WorkerOverrides = {}, config: Partial<WorkerConfig> = {}): Promise<WorkerService> {
    const worker = await WorkerService.create({ ...this.config, ...config }, { log: this.log, ...overrides })
    await worker.start()
    this.#workers.add(worker)
    return worker
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(Array.from(this.#workers, (worker) => worker.destroy()))
    this.#workers.clear()
  }

  /** Between tests: nothing of the one before is sent or seen in the next. */
  async clear(): Promise<void> {
    await this.stopWorkers()
    const tasks = await this.store.tasks.byIds([...this.#tasks])
    for (const task of tasks) if (task && task.state !== 'done') await this.cancel(task.id)
    this.#tasks.clear()
    this.logged.length = 0
    this.simulator.reset()
  }

  readonly log: Log = {
    info: (fields, text) => void this.logged.push({ level: 'info', text, ...fields }),
    warn: (fields, text) => void this.logged.push({ level: 'warn', text, ...fields }),
    error: (fields, text) => void this.logged.push({ level: 'error', text, ...fields }),
  }

  id(): Promise<string> {
    return this.#ids.next()
  }

  async app(): Promise<string> {
    const id = await this.#ids.next()
    const app = { id, org: 'demo', name: `app${id}`, clientId: `c${id}`, clientSecretHash: '', settings: {} }
    await this.store.apps.insert(app)
    return id
  }

  async channel(platform: 'fcm' | 'xiaomi', over: { appId?: string; limits?: ChannelLimits } = {}): Promise<Channel> {
    const id = await this.#ids.next()
    const appId = over.appId ?? (await this.app())
    const limits = over.limits ?? { rate: 0, unit: platform === 'fcm' ? 'token' : 'request', perMs: 1000 }
    const credential = platform === 'fcm' ? serviceAccount(`project-${id}`) : `secret-${id}`
    const settings = { packageName: 'org.example.demo' }
    await this.store.channels.insert({ id, appId, platform, name: `channel-${id}`, limits, settings }, credential)
    const [channel] = await this.store.channels.byIds([id])
    if (!channel) throw new Error('the channel is not there')
    return channel
  }

  /** Binds one user per token; answers the device ids. */
  async devices(channel: Channel, tokens: readonly string[]): Promise<string[]> {
    const ids = await this.#ids.many(tokens.length)
    const { appId, id: channelId } = channel
    const bindings = tokens.map((token, index) => {
      const id = ids[index] ?? ''
      return { id, appId, channelId, userId: `user-${id}`, deviceId: 'phone', token }
    })
    for (let from = 0; from < bindings.length; from += 1000) {
      await this.store.devices.bind(bindings.slice(from, from + 1000))
    }
    return ids
  }

  /** A task with one planned chunk for these devices, as the API commits it; not enqueued. */
  async task(channel: Channel, deviceIds: readonly string[], over: Partial<NewTask['task']> = {}): Promise<string> {
    const lane = over.lane ?? 'single'
    const chunks: NewChunk[] = [{ seq: 0, channelId: channel.id, members: deviceIds.map((deviceId) => ({ deviceId })) }]
    const task = await this.draft(channel.appId, { lane, ...over })
    await this.store.tasks.create([{ task, chunks }])
    return task.id
  }

  /** A task for all devices of the app, as the API commits it: not planned yet. */
  async broadcast(appId: string, over: Partial<NewTask['task']> = {}): Promise<string> {
    const task = await this.draft(appId, { lane: 'bulk', state: 'planning', ...over })
    await this.store.tasks.create([{ task, chunks: [] }])
    return task.id
  }

  async draft(appId: string, over: Partial<NewTask['task']>): Promise<NewTask['task']> {
    const createdAt = new Date()
    const id = await this.#ids.next()
    this.#tasks.add(id)
    const message = { title: `to ${id}`, content: 'hello' }
    const expiresAt = new Date(createdAt.getTime() + 3600_000)
    const fixed = { id, appId, message, createdAt, expiresAt, route: ['vendor'] as const }
    return { ...fixed, lane: 'single', audience: { kind: 'everyone' }, onUnknown: 'resend', state: 'sending', ...over }
  }

  enqueue(channel: Channel, taskIds: readonly string[], lane: 'single' | 'bulk' = 'single'): Promise<void> {
    const { id: channelId, platform } = channel
    return this.jobs.enqueue(taskIds.map((taskId) => ({ taskId, seq: 0, gen: 0, channelId, platform, lane })))
  }

  /** Waits until the task is done; answers its members' outcomes over all its chunks. */
  async outcomes(taskId: string, withinMs = 20_000): Promise<Partial<Record<Outcome, number>>> {
    await until(`task ${taskId} is done`, async () => (await this.task_(taskId))?.state === 'done', withinMs)
    return this.counts(taskId)
  }

  async counts(taskId: string): Promise<Partial<Record<Outcome, number>>> {
    const sums: Partial<Record<Outcome, number>> = {}
    for (const { byOutcome } of await this.store.tasks.counts(taskId)) {
      for (const [outcome, count] of Object.entries(byOutcome) as [Outcome, number][]) {
        sums[outcome] = (sums[outcome] ?? 0) + count
      }
    }
    return sums
  }

  async cancel(taskId: string): Promise<void> {
    await this.store.tasks.update(taskId, { state: 'cancelled' })
    await this.store.chunks.cancel(taskId)
  }

  async task_(taskId: string): Promise<Task | undefined> {
    return (await this.store.tasks.byIds([taskId]))[0]
  }
}

/** Short enough for tests, long enough for a busy machine. */
const FAST = {
  leaseMs: 2000,
  lockMs: 2000,
  stalledMs: 1000,
  sweepMs: 100,
  graceMs: 500,
  retryFirstMs: 200,
  retryMaxMs: 1000,
  drainMs: 5000,
  exitMs: 8000,
} as const satisfies Partial<WorkerConfig>

export async function until(what: string, ask: () => Promise<boolean> | boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export const tokens = (name: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${name}-${n}`)

function serviceAccount(project: string): string {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return JSON.stringify({
    type: 'service_account',
    project_id: project,
    private_key_id: 'test',
    private_key: privateKey,
    client_email: `push@${project}.iam.gserviceaccount.com`,
    client_id: '1',
    token_uri: 'https://oauth2.googleapis.com/token',
  })
}

/** As a process that is gone: its lease is not renewed. */
export function withoutHeartbeat(store: Store): Store {
  const isBeat = (write: ChunkWrite) => write.outcomes === undefined
  const write: Store['chunks']['write'] = async (writes) => {
    const answers = await store.chunks.write(writes.filter((item) => !isBeat(item)))
    return writes.map((item) => (isBeat(item) ? true : (answers.shift() ?? false)))
  }
  return { ...store, chunks: { ...store.chunks, write } }
}
