import { IdleMap } from '../common/idle-map.ts'
import type { Channel } from '../nouns/channel.ts'
import { type Pause, sentenceOfPause } from '../nouns/pause.ts'
import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store/store.ts'

export type BreakerOptions = {
  store: { channels: Pick<Store['channels'], 'update'>; lease: Store['lease'] }
  log: Log
  /** Names this process among others; only one of them probes a paused channel at a time. */
  holder: string
  /** By the store's clock. */
  now: () => number
  /** Called with a channel whose pause was set or lifted here, so that caches read it anew. */
  onChange?: (channelId: string) => void
  probeEveryMs?: number
  /** Channels remembered before idle ones are forgotten. */
  mostChannels?: number
}

/** Refusals in a row that pause a channel. */
const MOST_FAILURES = 5
/** Requests at once on a channel that has not answered well yet, and on one that refused last. */
const COLD_IN_FLIGHT = 4
const SUSPECT_IN_FLIGHT = 1
/** A refusal comes fast: a channel that was silent for so long is slow, not refused. */
const COLD_MS = 3000
const PROBE_EVERY_MS = 60_000
/** A channel that nothing was heard of for so long may be forgotten. */
const IDLE_MS = 60_000

/** Whether a paused channel goes on by itself, once a chunk of it finds out that it works again. */
export const isProbed = ({ pause }: Pick<Channel, 'pause'>): boolean =>
  pause?.by === 'credentials' || pause?.by === 'quota'

type State = {
  failures: number
  warm: boolean
  coldSince: number
  inFlight: number
  nextProbeAt: number
  /** The channel as it was when it was paused here: refusals of older copies of it come late. */
  pausedVersion: number
  usedAt: number
  waiters: (() => void)[]
}

/**
 * Stops a channel whose credentials are refused: after five refusals in a row it is paused, with the reason at the
 * channel, and one probe a minute (over the whole fleet) finds out whether it works again (docs/reliability.md T57).
 * A channel starts with few requests at once, so that a revoked credential costs few calls however many pushes wait.
 */
export class Breaker {
  readonly #states: IdleMap<State>
  readonly #options: BreakerOptions

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#states = new IdleMap(isIdle, options.mostChannels)
  }

  /** Whether this process should try a paused channel now, with one request. Never true for an operator's pause. */
  async mayProbe(channel: Channel): Promise<boolean> {
    const { pause } = channel
    if (pause?.by === 'quota') return this.#quotaOver(channel, pause.until)
    if (pause?.by !== 'credentials') return false
    const state = this.#of(channel.id)
    const every = this.#options.probeEveryMs ?? PROBE_EVERY_MS
    if (performance.now() < state.nextProbeAt) return false
    state.nextProbeAt = performance.now() + every
    state.warm = false
    // A holder's name of its own for every probe, so that this process cannot renew its lease before the minute is over.
    const name = `${this.#options.holder}:${Math.random()}`
    return this.#options.store.lease(`probe:${channel.id}`, name, every)
  }

  /** How many of `wanted` requests may start now; give them back with `left` when they are answered. */
  enter(channelId: string, wanted: number): number {
    const state = this.#of(channelId)
    const granted = Math.max(0, Math.min(wanted, mostInFlight(state) - state.inFlight))
    state.inFlight += granted
    return granted
  }

  left(channelId: string, requests: number): void {
    const state = this.#of(channelId)
    state.inFlight -= requests
    for (const wake of state.waiters.splice(0)) wake()
  }

  /** Resolves when a request of the channel was answered, or after `ms`. */
  changed(channelId: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#of(channelId).waiters.push(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }

  async succeeded(channel: Channel): Promise<void> {
    const state = this.#of(channel.id)
    const proved = !state.warm
    state.failures = 0
    state.warm = true
    if (proved && channel.pause?.by === 'credentials') await this.#set(channel, null)
  }

  async refused(channel: Channel, reason: string): Promise<void> {
    const state = this.#of(channel.id)
    state.failures++
    state.warm = false
    // A count that went past five without a pause (the write failed, another copy of the channel was resumed) pauses too.
    if (state.failures < MOST_FAILURES || channel.pause !== undefined) return
    const version = channel.updatedAt.getTime()
    if (version <= state.pausedVersion) return
    const before = state.pausedVersion
    state.pausedVersion = version
    try {
      await this.#set(channel, { by: 'credentials', reason })
    } catch (error) {
      state.pausedVersion = before
      throw error
    }
  }

  /** The vendor's daily quota is used up: nothing is sent before its next day begins. */
  async quotaUsed(channel: Channel): Promise<void> {
    if (channel.pause !== undefined) return
    await this.#set(channel, { by: 'quota', until: nextDay(channel, this.#options.now()) })
  }

  /** The channel was changed by someone: what was known of it no longer holds. */
  forget(channelId: string): void {
    const state = this.#states.get(channelId)
    if (!state) return
    state.failures = 0
    state.nextProbeAt = 0
  }

  #of(id: string): State {
    const usedAt = performance.now()
    const known = this.#states.get(id)
    if (known) {
      known.usedAt = usedAt
      return known
    }
    const fresh: State = {
      ...{ failures: 0, warm: false, coldSince: Number.NaN, inFlight: 0, nextProbeAt: 0, waiters: [], usedAt },
      pausedVersion: Number.NEGATIVE_INFINITY,
    }
    this.#states.set(id, fresh)
    return fresh
  }

  async #quotaOver(channel: Channel, until: Date): Promise<boolean> {
    if (this.#options.now() < until.getTime()) return false
    await this.#set(channel, null)
    return false
  }

  async #set(channel: Channel, pause: Pause | null): Promise<void> {
    const { id, platform } = channel
    const { log } = this.#options
    if (pause === null) log.info({ channelId: id }, 'channel works again')
    else {
      const fields = { alert: 'channel-paused', channelId: id, platform, pausedFor: sentenceOfPause(pause) }
      log.error(fields, 'channel paused')
    }
    await this.#options.store.channels.update(id, { pause })
    this.#options.onChange?.(channel.id)
  }
}

const isIdle = ({ inFlight, waiters, usedAt }: State): boolean =>
  inFlight === 0 && waiters.length === 0 && performance.now() - usedAt > IDLE_MS

function mostInFlight(state: State): number {
  if (state.failures > 0) return SUSPECT_IN_FLIGHT
  if (state.warm) return Number.POSITIVE_INFINITY
  if (state.inFlight === 0) state.coldSince = performance.now()
  return performance.now() - state.coldSince > COLD_MS ? Number.POSITIVE_INFINITY : COLD_IN_FLIGHT
}

/** Chinese vendors count by Beijing's day, the others by UTC. */
function nextDay(channel: Channel, now: number): Date {
  const dayMs = 86_400_000
  const zoneMs = ['xiaomi', 'huawei', 'wecom'].includes(channel.platform) ? 8 * 3_600_000 : 0
  return new Date((Math.floor((now + zoneMs) / dayMs) + 1) * dayMs - zoneMs)
}
