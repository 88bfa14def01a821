import type { SimulatorClient } from '@fanfare/simulator'
import { OWN, type Platform } from './subject.ts'

/** Arrivals at the simulator by its clock: `timesMs[i]` brought `members[i]` tokens. */
export type Arrivals = { timesMs: number[]; members: number[] }
export type Span = { fromMs: number; toMs: number }

export const WINDOW_MS = 1000
const STEP_MS = 25
/** A window this full is neither one of the old rate nor one of nothing. */
const FULL = 0.9

/** What arrived on the own account within the span, in order. */
export async function arrivalsIn(simulator: SimulatorClient, platform: Platform, span: Span): Promise<Arrivals> {
  const { timesMs, members } = await simulator.arrivals(platform, OWN)
  const order = [...timesMs.keys()].filter((index) => within(timesMs[index] as number, span))
  order.sort((a, b) => (timesMs[a] as number) - (timesMs[b] as number))
  return {
    timesMs: order.map((index) => timesMs[index] as number),
    members: order.map((index) => members[index] as number),
  }
}

/** Arrivals ÷ allowed. */
export function usedRatio({ members }: Arrivals, rate: number, { fromMs, toMs }: Span): number {
  const arrived = members.reduce((sum, count) => sum + count, 0)
  return arrived / ((rate * (toMs - fromMs)) / WINDOW_MS)
}

/** Sliding windows, one beginning at each arrival, that hold more than the limit. */
export function windowsOver({ timesMs, members }: Arrivals, limit: number): { windowsOver: number; most: number } {
  const result = { windowsOver: 0, most: 0 }
  let end = 0
  let held = 0
  for (const [start, fromMs] of timesMs.entries()) {
    while (end < timesMs.length && (timesMs[end] as number) < fromMs + WINDOW_MS) held += members[end++] as number
    if (held > limit) result.windowsOver++
    result.most = Math.max(result.most, held)
    held -= members[start] as number
  }
  return result
}

/**
 * How long after `changedAtMs` the new rate was in force: from there on every window holds no more than it, and the
 * first one is full. Infinity where that never came.
 */
export function inForceAfterMs(arrivals: Arrivals, rate: number, { fromMs: changedAtMs, toMs }: Span): number {
  let inForce = Number.POSITIVE_INFINITY
  for (let fromMs = toMs - WINDOW_MS; fromMs >= changedAtMs; fromMs -= STEP_MS) {
    const held = unitsIn(arrivals, { fromMs, toMs: fromMs + WINDOW_MS })
    if (held > rate) break
    if (held >= rate * FULL) inForce = fromMs - changedAtMs
  }
  return inForce
}

function unitsIn({ timesMs, members }: Arrivals, span: Span): number {
  let units = 0
  for (const [index, atMs] of timesMs.entries()) if (within(atMs, span)) units += members[index] as number
  return units
}

const within = (atMs: number, { fromMs, toMs }: Span): boolean => atMs >= fromMs && atMs < toMs
