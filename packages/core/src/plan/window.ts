import { setTimeout as sleep } from 'node:timers/promises'
import type { ChannelCache } from '../common/channel-cache.ts'
import type { Channel, PlatformName } from '../nouns/channel.ts'
import { CHUNK_SIZE } from '../nouns/defaults.ts'
import type { Enqueue } from '../ports/jobs.ts'
import type { Log } from '../ports/log.ts'
import type { BacklogRow, WaitingLane } from '../ports/store/chunks.ts'
import type { Store } from '../ports/store/store.ts'
import { isProbed } from '../vendor/breaker.ts'

export type WindowOptions = {
  store: { chunks: Pick<Store['chunks'], 'backlog' | 'promote'> }
  channels: Pick<ChannelCache, 'get'>
  enqueue: (items: readonly Enqueue[]) => Promise<void>
  log: Log
  /** Chunks of one channel, and of one platform, in Redis at most. */
  perChannel?: number
  perPlatform?: number
  /** Channels looked at in one pass; the next pass looks at those behind them. */
  perPass?: number
  /** How the places of a platform are shared; a chaos entry may put another rule here. */
  placesOf?: typeof placesOf
}

/**
 * A channel with waiting chunks. `open`: how many of it are in Redis; `most`: how many may be. `still`: it is paused, so
 * what it has in Redis does not move and takes no place of others.
 */
export type Backlog = BacklogRow & { most: number; still?: boolean }

const PER_CHANNEL = 32
const PER_PLATFORM = 256
const PER_PASS = 1000
/** A paused channel that has no chunk in Redis gets one so often, to find out with whether it works again. */
const PROBE_MS = 10_000
/** Single pushes of one app that come back in one pass, after its channel was paused. */
const SINGLES_PER_PASS = 500
const FRESH_MS = 500
/** Chunks done within this time are followed by one write. A window holds the work of a longer time. */
const PULL_MS = 20
/** A limited channel's window holds what it may send in this time. */
const WINDOW_MS = 2000
const LEAST = 4
const BATCHED = new Set<PlatformName>(['xiaomi', 'huawei', 'wecom'])

/**
 * Keeps a small window of each channel's chunks in Redis; the rest waits in the store (docs/reliability.md §0.12). A
 * chunk that is done makes room for the next, and the room goes to the app that has the fewest under way.
 */
export class Window {
  readonly #options: WindowOptions
  readonly #platforms = new Map<string, PlatformName>()
  readonly #placesOf: typeof placesOf
  readonly #probedAt = new Map<string, number>()
  #rows: Backlog[] = []
  #after: string | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #room = new Map<PlatformName, number>()
  #fill = false
  #running: Promise<void> | undefined

  constructor(options: WindowOptions) {
    this.#options = options
    this.#placesOf = options.placesOf ?? placesOf
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
      const moving = rows.filter((row) => !row.still)
      const most = this.#options.perPlatform ?? PER_PLATFORM
      const places = fill ? this.#placesOf(rows, most) : { free: room.get(platform) ?? 0, sure: 0 }
      share(moving, places, picked)
    }
    const singles = new Map<Backlog, number>()
    if (fill) this.#pickSingles(singles)
    if (fill) this.#pickProbes(picked, singles)
    await Promise.all([
      ...Array.from(picked, ([row, count]) => this.#promote(row, count, 'bulk')),
      ...Array.from(singles, ([row, count]) => this.#promote(row, count, 'single')),
    ])
  }

  /** They waited for their channel; it goes on, and what comes back is shared by its app's channels. */
  #pickSingles(singles: Map<Backlog, number>): void {
    const rows = this.#rows.filter((row) => row.single && !row.still)
    const ofApp = new Map<string, number>()
    for (const { appId } of rows) ofApp.set(appId, (ofApp.get(appId) ?? 0) + 1)
    for (const row of rows) singles.set(row, Math.ceil(SINGLES_PER_PASS / (ofApp.get(row.appId) ?? 1)))
  }

  #pickProbes(picked: Map<Backlog, number>, singles: Map<Backlog, number>): void {
    const now = performance.now()
    for (const [channelId, at] of this.#probedAt) if (now - at > PROBE_MS) this.#probedAt.delete(channelId)
    for (const row of this.#rows) {
      if (!row.still || row.open >= row.most || this.#probedAt.has(row.channelId)) continue
      this.#probedAt.set(row.channelId, now)
      if (row.single) singles.set(row, 1)
      else picked.set(row, 1)
    }
  }

  async #read(): Promise<void> {
    const limit = this.#options.perPass ?? PER_PASS
    const found = await this.#options.store.chunks.backlog(limit, this.#after)
    this.#after = found.length < limit ? undefined : found.at(-1)?.channelId
    this.#rows = await Promise.all(found.map((row) => this.#judged(row)))
    this.#readAt = performance.now()
    for (const { channelId, platform } of found) this.#platforms.set(channelId, platform)
  }

  async #judged(row: BacklogRow): Promise<Backlog> {
    const channel = await this.#options.channels.get(row.channelId)
    const still = channel?.pause !== undefined
    const most = channel && (row.bulk || still) ? windowOf(channel, this.#options.perChannel ?? PER_CHANNEL) : 0
    return { ...row, most, still }
  }

  async #promote(row: Backlog, count: number, lane: WaitingLane): Promise<void> {
    const { appId, channelId, platform } = row
    const refs = await this.#options.store.chunks.promote(channelId, count, lane)
    // Fewer than asked: nothing is waiting any more.
    if (refs.length < count && lane === 'bulk') row.most = 0
    const items = refs.map((ref): Enqueue => ({ ...ref, platform, channelId, appId, lane }))
    if (items.length > 0) await this.#options.enqueue(items)
  }
}

/** Places a platform has: `free` for whoever has fewest, `sure` for each app whatever the others hold. */
export type Places = { free: number; sure: number }

/**
 * What does not move takes no place. Each app is sure of its part of the window, at least one place: the others may hold
 * all of it in chunks that end late or never.
 */
export function placesOf(rows: readonly Backlog[], most: number): Places {
  const moving = rows.filter((row) => !row.still)
  const apps = new Set(moving.map((row) => row.appId)).size
  const open = moving.reduce((sum, row) => sum + row.open, 0)
  return { free: most - open, sure: Math.max(1, Math.floor(most / Math.max(1, apps))) }
}

/** Gives places to the rows, one at a time, always to the app with the fewest open; counts them in `picked`. */
export function share(rows: readonly Backlog[], { free, sure }: Places, picked: Map<Backlog, number>): void {
  const ofApp = new Map<string, number>()
  for (const row of rows) ofApp.set(row.appId, (ofApp.get(row.appId) ?? 0) + row.open)
  for (let left = free; ; left--) {
    const next = poorest(rows, ofApp)
    if (!next || (left <= 0 && (ofApp.get(next.appId) ?? 0) >= sure)) return
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

/** A slow channel needs few chunks in Redis; a paused one at most the one that finds out whether it works again. */
export function windowOf(channel: Channel, most: number): number {
  if (channel.pause !== undefined) return isProbed(channel) ? 1 : 0
  const { rate, perMs, unit } = channel.limits
  if (rate === 0) return most
  const perChunk = unit === 'request' && BATCHED.has(channel.platform) ? 1 : CHUNK_SIZE
  const chunks = Math.ceil((rate / perMs / perChunk) * WINDOW_MS) + 2
  return Math.max(Math.min(LEAST, most), Math.min(most, chunks))
}
