import { join } from 'node:path'
import { ApiService, readConfig as readApiConfig } from '@fanfare/api'
import { SettingError } from '@fanfare/runtime/settings'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { answersPing, startRedis } from '@fanfare/testkit'
import { readConfig as readWorkerConfig, WorkerService } from '@fanfare/worker'
import type { StandaloneConfig } from './config.ts'
import type { Keys } from './keys.ts'

/** API, worker, simulator and a Redis child in one process, with SQLite: all of Fanfare without a server. */
export class StandaloneService {
  readonly url: string
  readonly simulator: Simulator
  readonly #closers: (() => Promise<unknown>)[]

  private constructor(url: string, simulator: Simulator, closers: (() => Promise<unknown>)[]) {
    this.url = url
    this.simulator = simulator
    this.#closers = closers
  }

  /** Starts the parts in order; where one fails, those already started are ended, last first. */
  static async start(config: StandaloneConfig, keys: Keys): Promise<StandaloneService> {
    const closers: (() => Promise<unknown>)[] = []
    try {
      const redisUrl = await redisUrlOf(config, closers)
      const caFile = join(config.dataDir, 'simulator-ca.pem')
      const simulator = await startSimulator({ caFile })
      closers.push(() => simulator.close())
      const environment = environmentOf(config, keys, { redisUrl, caFile, simulator })
      const api = await ApiService.create(readApiConfig(environment))
      closers.push(() => api.destroy())
      await api.start()
      const worker = await WorkerService.create(readWorkerConfig(environment))
      closers.push(() => worker.destroy())
      await worker.start()
      return new StandaloneService(api.url, simulator, closers)
    } catch (error) {
      await closeAll(closers)
      throw error
    }
  }

  async destroy(): Promise<void> {
    await closeAll(this.#closers)
  }
}

/** The Redis that was named, if it answers, or a child process on a free port. */
async function redisUrlOf(config: StandaloneConfig, closers: (() => Promise<unknown>)[]): Promise<string> {
  if (config.redisUrl) {
    const { hostname, port } = new URL(config.redisUrl)
    if (await answersPing(Number(port || 6379), hostname)) return config.redisUrl
    throw new SettingError(`No Redis answers at REDIS_URL (${hostname}:${port || 6379}).`)
  }
  const redis = await startRedis({ dir: config.dataDir, appendonly: true })
  closers.push(() => redis.stop())
  return redis.url
}

function environmentOf(
  config: StandaloneConfig,
  keys: Keys,
  parts: { redisUrl: string; caFile: string; simulator: Simulator },
): Record<string, string> {
  return {
    STORE_URL: `sqlite:${join(config.dataDir, 'fanfare.db')}`,
    REDIS_URL: parts.redisUrl,
    FANFARE_MASTER_KEY: keys.masterKey,
    FANFARE_OPERATOR_TOKEN: keys.operatorToken,
    HOST: config.host,
    PORT: String(config.port),
    LOG_LEVEL: config.logLevel,
    VENDOR_URL: parts.simulator.url,
    VENDOR_CA: parts.caFile,
    FANFARE_ALLOWED_ADDRESSES: `${parts.simulator.smtp.host}:${parts.simulator.smtp.port}`,
    VENDOR_SMTP: `${parts.simulator.smtp.host}:${parts.simulator.smtp.port}`,
  }
}

async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  for (let close = closers.pop(); close; close = closers.pop()) await close().catch(() => {})
}
