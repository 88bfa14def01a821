import { type Connection, connect, disconnect } from '@fanfare/redis'

/** Tells the other processes which account a vendor wants left alone, and for how long. */
export class Spread {
  readonly #publisher: Connection
  readonly #subscriber: Connection
  readonly #topic: string

  /** `hear` is called with what any process told, this one too. */
  constructor(redisUrl: string, { topic, hear }: SpreadOptions) {
    this.#topic = topic
    this.#publisher = connect(redisUrl, 'none', 'fanfare-stops')
    this.#subscriber = connect(redisUrl, 'endless', 'fanfare-stops')
    this.#subscriber.on('message', (_topic: string, text: string) => {
      const [ms = '', ...key] = text.split(' ')
      hear(key.join(' '), Number(ms))
    })
    // Subscribing waits for Redis; whoever starts must not.
    void this.#subscriber.subscribe(topic).catch(() => undefined)
  }

  async tell(key: string, ms: number): Promise<void> {
    await this.#publisher.publish(this.#topic, `${Math.ceil(ms)} ${key}`)
  }

  close(): void {
    disconnect(this.#publisher)
    disconnect(this.#subscriber)
  }
}

export type SpreadOptions = { topic: string; hear: (key: string, ms: number) => void }
