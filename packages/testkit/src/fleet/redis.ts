import { type Connection, connect, disconnect } from '@fanfare/redis'
import { type RedisService, startRedis } from '../redis.ts'

/** A redis-server with the settings of production (AOF each second, noeviction), on one port over restarts. */
export class FleetRedis {
  readonly service: RedisService
  #client: Connection | undefined

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
  get client(): Connection {
    this.#client ??= connect(this.url, 'endless')
    return this.#client
  }

  async usedMb(): Promise<number> {
    const used = /used_memory:(\d+)/.exec(await this.client.info('memory'))
    return Number(used?.[1] ?? 0) / 2 ** 20
  }

  async stop(): Promise<void> {
    if (this.#client) disconnect(this.#client)
    await this.service.stop()
  }
}
