import type { Channel } from '../nouns/channel.ts'
import type { Store } from '../ports/store/store.ts'
import { Batcher } from './batcher.ts'
import { IdleMap } from './idle-map.ts'

const FRESH_MS = 1000
/** A channel not read for so long is not in use. */
const IDLE_MS = 60_000

type Entry = { channel: Channel | undefined; readAt: number }

/** Channels as workers see them, at most a second old: changed limits and pauses take effect within 2 s. */
export class ChannelCache {
  readonly #entries = new IdleMap<Entry>(({ readAt }) => performance.now() - readAt > IDLE_MS)
  readonly #reader: Batcher<string, Channel | undefined>
  readonly #onChange: (channelId: string) => void

  /** `onChange` hears of every channel whose `updatedAt` moved or which went: its pusher must be closed. */
  constructor(store: Pick<Store, 'channels'>, onChange: (channelId: string) => void = () => undefined) {
    this.#reader = new Batcher((ids) => store.channels.byIds(ids), { maxItems: 100, apart: true })
    this.#onChange = onChange
  }

  get(id: string): Promise<Channel | undefined> | Channel | undefined {
    const known = this.#entries.get(id)
    if (known && performance.now() - known.readAt < FRESH_MS) return known.channel
    return this.#read(id)
  }

  /** The next `get` reads it anew. */
  forget(id: string): void {
    const known = this.#entries.get(id)
    if (known) known.readAt = Number.NEGATIVE_INFINITY
  }

  async #read(id: string): Promise<Channel | undefined> {
    const channel = await this.#reader.add(id)
    const before = this.#entries.get(id)?.channel
    if (before && before.updatedAt.getTime() !== channel?.updatedAt.getTime()) this.#onChange(id)
    if (channel) this.#entries.set(id, { channel, readAt: performance.now() })
    else this.#entries.delete(id)
    return channel
  }
}
