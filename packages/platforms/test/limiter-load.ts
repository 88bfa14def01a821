import { setTimeout as sleep } from 'node:timers/promises'
import type { Channel, ChannelLimits, Lane, Limiter, Permit } from '@fanfare/core'

export type Arrival = { at: number; units: number; lane: Lane }
export type Asker = { limiter: Limiter; lane: Lane; units: number; least?: number; pauseMs?: number }
export type Load = {
  channel: Channel
  askers: readonly Asker[]
  forMs: number
  latencyMs: number
  random?: () => number
}

let channels = 0
/** A channel with an account of its own. */
export function channelWith(limits: Partial<ChannelLimits>, account = `account-${process.pid}-${++channels}`): Channel {
  const now = new Date()
  return {
    id: `channel-${++channels}`,
    appId: '1',
    platform: 'fcm',
    name: account,
    limits: { rate: 100, unit: 'token', perMs: 200, ...limits },
    settings: { projectId: account },
    createdAt: now,
    updatedAt: now,
  }
}

/** Short ways to ask: for all units or none, of the limiter given unless another is named. */
export function asking(limiter: () => Limiter) {
  const take = (channel: Channel, units = 1, lane: Lane = 'single', from = limiter()) =>
    from.take(channel, { units, least: units, lane })
  return {
    async permit(channel: Channel, units = 1, lane: Lane = 'single'): Promise<Permit> {
      const got = await take(channel, units, lane)
      if ('afterMs' in got) throw new Error(`denied for ${got.afterMs} ms`)
      return got
    },
    /** The wait of a denied asker; 0 where it got its permit. */
    async waitOf(channel: Channel, units = 1, lane: Lane = 'single', from = limiter()): Promise<number> {
      const got = await take(channel, units, lane, from)
      return 'afterMs' in got ? got.afterMs : 0
    },
  }
}

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Askers take, send and answer until the time is up; a request arrives at any instant before its answer. */
export async function runLoad(load: Load): Promise<Arrival[]> {
  const arrivals: Arrival[] = []
  const end = performance.now() + load.forMs
  await Promise.all(load.askers.map((asker) => ask(load, asker, { arrivals, end })))
  return arrivals.sort((a, b) => a.at - b.at)
}

async function ask(load: Load, asker: Asker, run: { arrivals: Arrival[]; end: number }): Promise<void> {
  const random = load.random ?? Math.random
  const { lane, units, least = 1 } = asker
  while (performance.now() < run.end) {
    const got = await asker.limiter.take(load.channel, { lane, units, least })
    if ('afterMs' in got) {
      await sleep(Math.min(got.afterMs, Math.max(0, run.end - performance.now())))
      continue
    }
    const latencyMs = load.latencyMs * random()
    const beforeMs = latencyMs * random()
    await sleep(beforeMs)
    run.arrivals.push({ at: performance.now(), units: got.units, lane })
    await sleep(latencyMs - beforeMs)
    got.answered()
    if (asker.pauseMs) await sleep(asker.pauseMs * random())
  }
}

/** Sliding windows that hold more than the limit, of all windows that end with an arrival. */
export function windowsOver(arrivals: readonly Arrival[], { rate, perMs }: ChannelLimits): number {
  let over = 0
  let first = 0
  let units = 0
  for (const arrival of arrivals) {
    units += arrival.units
    while ((arrivals[first] as Arrival).at <= arrival.at - perMs) units -= (arrivals[first++] as Arrival).units
    if (units > rate) over++
  }
  return over
}

export const unitsOf = (arrivals: readonly Arrival[]): number =>
  arrivals.reduce((sum, arrival) => sum + arrival.units, 0)
