import { Redis } from 'ioredis'
import { type RedisService, startRedis } from '../redis.ts'

/** A redis-server with the settings of production (AOF each second, noeviction), on one port over restarts. */
export class FleetRedis {
  readonly service: RedisService
  #client: Redis | undefined

  private constructor(service: RedisService) {
    this.service = service
  }

  static async start(): Promise<FleetRedis> {
    return new FleetRedis(await startRedis({ appendonly: true }))
  }

  get url(): string {
    return this.service.url
  }

  get pid(): number {
    return this.service.pid
  }

  /** A connection for the scenario's own questions. */
  get client(): Redis {
    this.#client ??= quietClient(this.url)
    return this.#client
  }

  async usedMb(): Promise<number> {
    const used = /used_memory:(\d+)/.exec(await this.client.info('memory'))
    return Number(used?.[1] ?? 0) / 2 ** 20
  }

  async stop(): Promise<void> {
    this.#client?.disconnect()
    await this.service.stop()
  }
}

function quietClient(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: 20, retryStrategy: () => 200, disconnectTimeout: 100 })
  client.on('error', () => undefined)
  return client
}
