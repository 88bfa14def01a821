import {
  type Binding,
  type ChunkRef,
  type Claimed,
  Ids,
  type Member,
  type NewApp,
  type NewChannel,
  type NewChunk,
  type NewTask,
  type Store,
} from '@fanfare/core'

const HOUR_MS = 3600_000

/**
 * Builds and writes the nouns of a test with ids from the store, so that tests may share one. Whatever a test does not
 * name has a plain default.
 */
export class Make {
  readonly #ids: Ids
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
    this.#ids = new Ids((count) => store.takeIds(count))
  }

  id(): Promise<string> {
    return this.#ids.next()
  }

  async app(over: Partial<NewApp> = {}): Promise<NewApp> {
    const id = await this.id()
    const app = {
      id,
      org: 'org',
      name: `app${id}`,
      clientId: `client${id}`,
      clientSecretHash: '00',
      settings: {},
      ...over,
    }
    if (!(await this.#store.apps.insert(app))) throw new Error(`${app.org}/${app.name} is taken`)
    return app
  }

  async channel(over: Partial<NewChannel> = {}, credential = 'secret'): Promise<NewChannel> {
    const id = await this.id()
    const limits = { rate: 500, unit: 'request', perMs: 1000 } as const
    const appId = over.appId ?? (await this.app()).id
    const channel: NewChannel = { id, platform: 'xiaomi', name: `channel${id}`, limits, settings: {}, ...over, appId }
    if (!(await this.#store.channels.insert(channel, credential))) throw new Error(`${channel.name} is taken`)
    return channel
  }

  async binding(channel: NewChannel, over: Partial<Binding> = {}): Promise<Binding> {
    const id = await this.id()
    const own = { id, userId: `user${id}`, deviceId: 'phone', token: `ok-${id}` }
    return { appId: channel.appId, channelId: channel.id, ...own, ...over }
  }

  async bind(channel: NewChannel, over: Partial<Binding> = {}): Promise<Binding> {
    const binding = await this.binding(channel, over)
    await this.#store.devices.bind([binding])
    return binding
  }

  async task(over: Partial<NewTask['task']> = {}): Promise<NewTask['task']> {
    const createdAt = over.createdAt ?? new Date()
    return {
      id: over.id ?? (await this.id()),
      appId: over.appId ?? '1',
      lane: 'bulk',
      audience: { kind: 'everyone' },
      message: { title: 'Hello', content: 'to all' },
      route: ['vendor'],
      onUnknown: 'resend',
      state: 'sending',
      createdAt,
      expiresAt: new Date(createdAt.getTime() + 24 * HOUR_MS),
      ...over,
    }
  }

  /** A task with one planned chunk of `size` members on the channel, written. */
  async chunk(
    channel: NewChannel,
    size = 1,
    over: { task?: Partial<NewTask['task']>; chunk?: Partial<NewChunk> } = {},
  ): Promise<ChunkRef & { task: NewTask['task'] }> {
    const task = await this.task({ appId: channel.appId, ...over.task })
    const chunk = { seq: 0, channelId: channel.id, members: members(size), ...over.chunk }
    await this.#store.tasks.create([{ task, chunks: [chunk] }])
    return { taskId: task.id, seq: chunk.seq, gen: 0, task }
  }

  /** The same, claimed for 10 s with all members in the first window. */
  async claimed(
    channel: NewChannel,
    size = 1,
    over: Parameters<Make['chunk']>[2] = {},
  ): Promise<Claimed & { ref: ChunkRef }> {
    const ref = await this.chunk(channel, size, over)
    const [claimed] = await this.#store.chunks.claim([ref], 10_000, size)
    if (!claimed) throw new Error(`chunk ${ref.taskId}.${ref.seq} was not claimed`)
    return { ...claimed, ref }
  }
}

/** Members with made-up device ids, each a user of its own. */
export const members = (count: number, from = 1): Member[] =>
  Array.from({ length: count }, (_, index) => ({ deviceId: String(from + index), userId: `user${from + index}` }))

/** Numbers in [0, 1) that are the same in every run with one seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
