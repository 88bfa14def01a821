import { setTimeout as sleep } from 'node:timers/promises'
import type { ChannelCache } from './channel-cache.ts'
import { CHUNK_SIZE } from './defaults.ts'
import type { Enqueue, Log } from './ports.ts'
import type { Store } from './store.ts'
import type { Channel, PlatformName } from './types.ts'

export type WindowOptions = {
  store: { chunks: Pick<Store['chunks'], 'backlog' | 'promote'> }
  channels: Pick<ChannelCache, 'get'>
  enqueue: (items: readonly Enqueue[]) => Promise<void>
  log: Log
  /** Chunks of one channel, and of one platform, in Redis at most. */
  perChannel?: number
  perPlatform?: number
}

/** A channel with waiting chunks. `open`: how many of it are in Redis; `most`: how many may be. */
export type Backlog = { channelId: string; appId: string; platform: PlatformName; open: number; most: number }

const PER_CHANNEL = 32
const PER_PLATFORM = 256
const MAX_CHANNELS = 1000
const FRESH_MS = 500
/** Chunks done within this time are followed by one write. A window holds the work of a longer time. */
const PULL_MS = 20
/** A limited channel's window holds what it may send in this time. */
const WINDOW_MS = 2000
const LEAST = 4
const BATCHED = new Set<PlatformName>(['xiaomi', 'huawei', 'wecom'])

/**
 * Keeps a small window of each channel's chunks in Redis; the rest waits in the store (reliability.md finding 12). A
 * chunk that is done makes room for the next, and the room goes to the app that has the fewest under way.
 */
export class Window {
  readonly #options: WindowOptions
  readonly #platforms = new Map<string, PlatformName>()
  #rows: Backlog[] = []
  #readAt = Number.NEGATIVE_INFINITY
  #room = new Map<PlatformName, number>()
  #fill = false
  #running: Promise<void> | undefined

  constructor(options: WindowOptions) {
    this.#options = options
  }

  /** A chunk of this channel is done. */
  pull(channelId: string): void {
    const row = this.#rows.find((other) => other.channelId === channelId)
    if (row) row.open--
    const platform = row?.platform ?? this.#platforms.get(channelId)
    if (!platform) return
    this.#room.set(platform, (this.#room.get(platform) ?? 0) + 1)
    this.#arm()
  }

  /** Fills the windows of all channels; the sweeper and the planner call it. */
  topUp(): void {
    this.#fill = true
    this.#arm()
  }

  /** Resolves when nothing is being promoted any more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  #arm(): void {
    this.#running ??= this.#run()
      .catch((error: unknown) => this.#options.log.warn({ error: String(error) }, 'waiting chunks were not promoted'))
      .finally(() => {
        this.#running = undefined
        if (this.#fill || this.#room.size > 0) this.#arm()
      })
  }

  async #run(): Promise<void> {
    if (!this.#fill) await sleep(PULL_MS)
    const fill = this.#fill
    const room = this.#room
    this.#fill = false
    this.#room = new Map()
    if (fill || performance.now() - this.#readAt > FRESH_MS) await this.#read()
    const picked = new Map<Backlog, number>()
    for (const platform of new Set(this.#rows.map((row) => row.platform))) {
      const rows = this.#rows.filter((row) => row.platform === platform)
      const open = rows.reduce((sum, row) => sum + row.open, 0)
      const free = fill ? (this.#options.perPlatform ?? PER_PLATFORM) - open : (room.get(platform) ?? 0)
      share(rows, free, picked)
    }
    await Promise.all(Array.from(picked, ([row, count]) => this.#promote(row, count)))
  }

  async #read(): Promise<void> {
    const found = await this.#options.store.chunks.backlog(MAX_CHANNELS)
    this.#rows = await Promise.all(found.map(async (row) => ({ ...row, most: await this.#most(row.channelId) })))
    this.#readAt = performance.now()
    for (const { channelId, platform } of found) this.#platforms.set(channelId, platform)
  }

  async #most(channelId: string): Promise<number> {
    const channel = await this.#options.channels.get(channelId)
    return channel ? windowOf(channel, this.#options.perChannel ?? PER_CHANNEL) : 0
  }

  async #promote(row: Backlog, count: number): Promise<void> {
    const { channelId, platform } = row
    const refs = await this.#options.store.chunks.promote(channelId, count)
    // Fewer than asked: nothing is waiting any more.
    if (refs.length < count) row.most = 0
    if (refs.length > 0) await this.#options.enqueue(refs.map((ref) => ({ ...ref, platform, channelId, lane: 'bulk' })))
  }
}

/** Gives `free` places to the rows, one at a time, always to the app with the fewest open; counts them in `picked`. */
export function share(rows: readonly Backlog[], free: number, picked: Map<Backlog, number>): void {
  const ofApp = new Map<string, number>()
  for (const row of rows) ofApp.set(row.appId, (ofApp.get(row.appId) ?? 0) + row.open)
  for (let left = free; left > 0; left--) {
    const next = poorest(rows, ofApp)
    if (!next) return
    next.open++
    ofApp.set(next.appId, (ofApp.get(next.appId) ?? 0) + 1)
    picked.set(next, (picked.get(next) ?? 0) + 1)
  }
}

function poorest(rows: readonly Backlog[], ofApp: ReadonlyMap<string, number>): Backlog | undefined {
  let best: Backlog | undefined
  let least = Number.POSITIVE_INFINITY
  for (const row of rows) {
    if (row.open >= row.most) continue
    const open = (ofApp.get(row.appId) ?? 0) + row.open / 1e6
    if (open < least) [best, least] = [row, open]
  }
  return best
}

/** A slow channel needs few chunks in Redis; a paused one just the one that finds out whether it works again. */
export function windowOf(channel: Channel, most: number): number {
  if (channel.pausedFor !== undefined) return 1
  const { rate, perMs, unit } = channel.limits
  if (rate === 0) return most
  const perChunk = unit === 'request' && BATCHED.has(channel.platform) ? 1 : CHUNK_SIZE
  const chunks = Math.ceil((rate / perMs / perChunk) * WINDOW_MS) + 2
  return Math.max(Math.min(LEAST, most), Math.min(most, chunks))
}
