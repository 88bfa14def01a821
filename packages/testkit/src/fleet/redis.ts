import { type Connection, connect, disconnect, mastersOf } from '@fanfare/redis'
import { type RedisForm, type RedisSet, startRedisSet } from '../redis-sets/index.ts'

/** Redis with the settings of production (AOF each second, noeviction), on its ports over restarts. */
export class FleetRedis {
  readonly set: RedisSet
  #client: Connection | undefined

  private constructor(set: RedisSet) {
    this.set = set
  }

  static async start(form: RedisForm): Promise<FleetRedis> {
    return new FleetRedis(await startRedisSet(form, { appendonly: true }))
  }

  get url(): string {
    return this.set.url
  }

  pids(): number[] {
    return this.set.servers.map(({ pid }) => pid)
  }

  /** A connection for the scenario's own questions. */
  get client(): Connection {
    this.#client ??= connect(this.url, 'endless')
    return this.#client
  }

  /** Of all masters. */
  async usedMb(): Promise<number> {
    const infos = await Promise.all(mastersOf(this.client).map((master) => master.info('memory')))
    return infos.reduce((sum, info) => sum + Number(/used_memory:(\d+)/.exec(info)?.[1] ?? 0), 0) / 2 ** 20
  }

  async stop(): Promise<void> {
    if (this.#client) disconnect(this.#client)
    await this.set.stop()
  }
}
