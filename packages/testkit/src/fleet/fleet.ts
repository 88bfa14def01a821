import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '@fanfare/core'
import { openStore } from '@fanfare/storage'
import { REPO_ROOT } from '../files.ts'
import type { RedisForm } from '../redis-sets/index.ts'
import { FleetProcess } from './process.ts'
import { FleetRedis } from './redis.ts'
import { type FleetStore, startFleetStore } from './store.ts'

export type FleetOptions = {
  store?: 'sqlite' | 'mongo'
  sync?: 'full' | 'normal'
  /** One server unless said otherwise. */
  redis?: RedisForm
  /** Worker and API processes at the start; 1 and 1 unless said otherwise. */
  workers?: number
  apis?: number
  workerConcurrency?: number
  /** Other entries than those of apps/, with overrides of their own. */
  workerScript?: string
  apiScript?: string
  env?: Readonly<Record<string, string>>
  /** Variables that depend on the simulator's address, e.g. a proxy in front of it. */
  vendorEnv?: (simulatorUrl: string) => Promise<Readonly<Record<string, string>>>
  /** Where API and worker leave a CPU profile when they end (node --cpu-prof). */
  profile?: string | undefined
  /** Keep the directory (store, logs) of a run; its path is logged. */
  keep?: boolean
  log?: (text: string) => void
}

type Role = 'api' | 'worker'
type Extra = {
  env?: Readonly<Record<string, string>>
  script?: string
  args?: readonly string[]
  onMessage?: (message: unknown) => void
}

/** Redis, a store, the simulator, API and worker processes: the whole of Fanfare as in production, on free ports. */
export class Fleet {
  readonly dir: string
  readonly operatorToken = randomBytes(24).toString('hex')
  readonly redis: FleetRedis
  readonly storeServer: FleetStore
  readonly simulator: FleetProcess
  readonly workers: FleetProcess[] = []
  readonly apis: FleetProcess[] = []
  readonly options: FleetOptions
  readonly #masterKey = randomBytes(32).toString('base64')
  readonly #stores: Store[] = []
  #started = 0

  private constructor(options: FleetOptions, parts: Pick<Fleet, 'dir' | 'redis' | 'storeServer' | 'simulator'>) {
    this.options = options
    this.dir = parts.dir
    this.redis = parts.redis
    this.storeServer = parts.storeServer
    this.simulator = parts.simulator
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const dir = mkdtempSync(join(tmpdir(), 'fanfare-fleet-'))
    mkdirSync(join(dir, 'log'))
    const redis = await FleetRedis.start(options.redis ?? 'single')
    const storeServer = await startFleetStore(options.store ?? 'sqlite', dir)
    const simulator = await startSimulatorProcess(dir)
    const vendorEnv = await options.vendorEnv?.(simulator.url)
    const own = { ...options, env: { ...options.env, ...vendorEnv } }
    const fleet = new Fleet(own, { dir, redis, storeServer, simulator })
    try {
      for (let index = 0; index < (options.apis ?? 1); index++) await fleet.startApi()
      for (let index = 0; index < (options.workers ?? 1); index++) await fleet.startWorker()
      return fleet
    } catch (error) {
      await fleet.close()
      throw error
    }
  }

  log(text: string): void {
    this.options.log?.(text)
  }

  get api(): FleetProcess {
    const [api] = this.apis
    if (!api) throw new Error('the fleet has no API process')
    return api
  }

  /** Where the simulator's journal, faults and settings are asked for. */
  get controlUrl(): string {
    return String(this.simulator.ready['controlUrl'])
  }

  startApi(extra: Extra = {}): Promise<FleetProcess> {
    return this.#start('api', this.apis, extra)
  }

  startWorker(extra: Extra = {}): Promise<FleetProcess> {
    return this.#start('worker', this.workers, extra)
  }

  /** Ends the process (SIGKILL, or SIGTERM with its exit code checked) and starts another in its place. */
  async replace(process: FleetProcess, how: 'kill' | 'stop', extra: Extra = {}): Promise<FleetProcess> {
    await this.retire(process, how)
    return process.name.startsWith('api') ? this.startApi(extra) : this.startWorker(extra)
  }

  async retire(process: FleetProcess, how: 'kill' | 'stop'): Promise<void> {
    for (const list of [this.apis, this.workers]) {
      const index = list.indexOf(process)
      if (index >= 0) list.splice(index, 1)
    }
    if (how === 'kill') return process.kill()
    const code = await process.stop()
    if (code !== 0) throw new Error(`${process.name} ended with ${code} after SIGTERM`)
  }

  /** Processes that count as ours in `cpuSecPer100k`: all but the simulator and the load. */
  pids(): number[] {
    const own = [...this.apis, ...this.workers].map((process) => process.pid)
    return [...own, ...this.redis.pids(), ...this.storeServer.pids()]
  }

  /** API and worker processes: `rssMbPeak` is the largest of these. */
  servicePids(): number[] {
    return [...this.apis, ...this.workers].map((process) => process.pid)
  }

  /** The store opened once more, for seeding and for looking at the ledger. Closed with the fleet. */
  async openStore(): Promise<Store> {
    const [open] = this.#stores
    if (open) return open
    const store = await openStore(this.storeServer.url, { masterKey: Buffer.from(this.#masterKey, 'base64') })
    this.#stores.push(store)
    return store
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#stores.map((store) => store.close()))
    const services = [...this.apis, ...this.workers, this.simulator]
    await Promise.all(services.map((process) => process.stop(5_000)))
    await this.redis.stop()
    await this.storeServer.stop()
    if (this.options.keep) this.log(`kept ${this.dir}`)
    else rmSync(this.dir, { recursive: true, force: true })
  }

  /** What API and worker are told (the process contract); also for processes a scenario starts itself. */
  environment(): Record<string, string> {
    return {
      STORE_URL: this.storeServer.url,
      STORE_SYNC: this.options.sync ?? 'full',
      REDIS_URL: this.redis.url,
      FANFARE_MASTER_KEY: this.#masterKey,
      FANFARE_OPERATOR_TOKEN: this.operatorToken,
      HOST: '127.0.0.1',
      PORT: '0',
      LOG_LEVEL: 'warn',
      ...vendorEnvironment(this.simulator),
      ...(this.options.workerConcurrency ? { WORKER_CONCURRENCY: String(this.options.workerConcurrency) } : {}),
      ...this.options.env,
    }
  }

  async #start(role: Role, list: FleetProcess[], extra: Extra): Promise<FleetProcess> {
    const own = role === 'api' ? this.options.apiScript : this.options.workerScript
    const name = `${role}-${++this.#started}`
    const process = await FleetProcess.start({
      name,
      script: extra.script ?? own ?? join(REPO_ROOT, 'apps', role, 'dist', 'main.js'),
      env: { ...this.environment(), ...extra.env },
      logFile: join(this.dir, 'log', `${name}.log`),
      ...(this.options.profile ? { nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${this.options.profile}`] } : {}),
      ...(extra.args ? { args: extra.args } : {}),
      ...(extra.onMessage ? { onMessage: extra.onMessage } : {}),
    })
    list.push(process)
    return process
  }
}

function startSimulatorProcess(dir: string): Promise<FleetProcess> {
  return FleetProcess.start({
    name: 'simulator',
    script: join(REPO_ROOT, 'apps', 'simulator', 'dist', 'main.js'),
    env: { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'warn' },
    logFile: join(dir, 'log', 'simulator.log'),
  })
}

/** The simulator in the place of every vendor. */
function vendorEnvironment(simulator: FleetProcess): Record<string, string> {
  const { ca, smtp } = simulator.ready as { ca?: string; smtp?: string }
  return {
    VENDOR_URL: simulator.url,
    ...(ca === undefined ? {} : { VENDOR_CA: ca }),
    ...(smtp === undefined ? {} : { VENDOR_SMTP: smtp, FANFARE_ALLOWED_ADDRESSES: smtp }),
  }
}
