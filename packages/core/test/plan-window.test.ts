import { describe, expect, it } from '@jest/globals'
import type { Channel, ChannelLimits, PlatformName } from '../src/nouns/channel.ts'
import { pauseOfSentence } from '../src/nouns/pause.ts'
import { type Backlog, placesOf, share, Window, windowOf } from '../src/plan/window.ts'
import type { Enqueue } from '../src/ports/jobs.ts'

const row = (appId: string, channelId: string, open = 0, most = 32): Backlog => {
  return { appId, channelId, platform: 'fcm', open, most, bulk: true, single: false }
}
function shared(rows: readonly Backlog[], free: number, sure = 0): Record<string, number> {
  const picked = new Map<Backlog, number>()
  share(rows, { free, sure }, picked)
  return Object.fromEntries(Array.from(picked, ([{ channelId }, count]) => [channelId, count]))
}

describe('sharing the window', () => {
  it('gives every app the same, whatever its backlog or channels', () => {
    expect(shared([row('a', 'a1'), row('b', 'b1'), row('c', 'c1')], 9)).toEqual({ a1: 3, b1: 3, c1: 3 })
    expect(shared([row('a', 'a1'), row('a', 'a2'), row('b', 'b1')], 8)).toEqual({ a1: 2, a2: 2, b1: 4 })
  })

  it('gives an app that comes late the next free places', () => {
    expect(shared([row('a', 'a1', 10), row('b', 'b1')], 5)).toEqual({ b1: 5 })
  })

  it('keeps to the window of each channel and uses what others leave', () => {
    expect(shared([row('a', 'a1', 0, 2), row('b', 'b1')], 10)).toEqual({ a1: 2, b1: 8 })
    expect(shared([row('a', 'a1', 4, 4)], 10)).toEqual({})
  })
})

describe('a window that is full of chunks that do not end', () => {
  const full = Array.from({ length: 16 }, (_, index) => row(`slow${index}`, `s${index}`, 16))

  it('still gives every app its part, and no more', () => {
    const rows = [...full, row('late', 'l1'), row('late', 'l2')]
    expect(shared(rows, 0, placesOf(rows, 256).sure)).toEqual({ l1: 8, l2: 7 })
    expect(shared([row('a', 'a1', 15), row('b', 'b1')], 0, 15)).toEqual({ b1: 15 })
  })

  it('gives one place at least, however many apps there are', () => {
    const many = Array.from({ length: 1000 }, (_, index) => row(`a${index}`, `c${index}`, index < 999 ? 1 : 0))
    expect(shared(many, -743, placesOf(many, 256).sure)).toEqual({ c999: 1 })
  })
})

const unlimited = { rate: 0, unit: 'token', perMs: 1000 } as const
const channel = (platform: PlatformName, limits: ChannelLimits, pausedFor?: string): Channel => {
  const at = new Date()
  const fixed = { id: '1', appId: '2', name: 'x', settings: {}, createdAt: at, updatedAt: at }
  return { ...fixed, platform, limits, ...(pausedFor && { pause: pauseOfSentence(pausedFor) }) }
}

/** What a window over these channels enqueues in one pass, by channel. */
async function passes(rows: Omit<Backlog, 'most'>[], paused: Record<string, string>, perPass = 1000) {
  const enqueued: Record<string, number> = {}
  const window = new Window({
    store: {
      chunks: {
        backlog: async (limit, after = '') => rows.filter((one) => one.channelId > after).slice(0, limit),
        promote: async (channelId, limit) =>
          Array.from({ length: limit }, (_, seq) => ({ taskId: channelId, seq, gen: 0 })),
      },
    },
    channels: { get: (id) => ({ ...channel('fcm', unlimited, paused[id]), id }) },
    enqueue: async (items: readonly Enqueue[]) => {
      for (const { channelId } of items) enqueued[channelId] = (enqueued[channelId] ?? 0) + 1
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    perPass,
  })
  const pass = async () => {
    window.topUp()
    await window.idle()
    return enqueued
  }
  return pass
}

it('brings back so many single pushes of an app in a pass, over all of its channels', async () => {
  const singles = { bulk: false, single: true }
  const rows = [
    { ...row('a', 'a1'), ...singles },
    { ...row('a', 'a2'), ...singles },
    { ...row('b', 'b1'), ...singles },
  ]
  expect(await (await passes([...rows, { ...row('c', 'off'), ...singles }], { off: 'maintenance' }))()).toEqual({
    a1: 250,
    a2: 250,
    b1: 500,
  })
})

describe('channels that are paused', () => {
  it('take no places: of those that go on by themselves one chunk is there to try with', async () => {
    const held = Array.from({ length: 300 }, (_, index) => ({ ...row('a', `p${index}`, index < 290 ? 1 : 0) }))
    const paused = Object.fromEntries(held.map(({ channelId }) => [channelId, 'credentials refused: 401']))
    const pass = await passes([...held, row('a', 'operator'), row('b', 'runs')], { ...paused, operator: 'by hand' })
    const probes = Object.fromEntries(held.slice(290).map(({ channelId }) => [channelId, 1]))
    expect(await pass()).toEqual({ ...probes, runs: 32 })
    expect((await pass())['p299']).toBe(1)
  })
})

it('looks at more channels than one pass holds, pass after pass', async () => {
  const rows = ['c1', 'c2', 'c3', 'c4', 'c5'].map((id) => row(id, id))
  const pass = await passes(rows, {}, 2)
  for (let count = 0; count < 3; count++) await pass()
  expect(Object.keys(await pass()).sort()).toEqual(['c1', 'c2', 'c3', 'c4', 'c5'])
})

describe('the window of a channel', () => {
  it('holds what the channel may send in two seconds', () => {
    expect(windowOf(channel('fcm', { rate: 500, unit: 'token', perMs: 1000 }), 32)).toBe(4)
    expect(windowOf(channel('huawei', { rate: 6000, unit: 'token', perMs: 1000 }), 32)).toBe(14)
    expect(windowOf(channel('xiaomi', { rate: 500, unit: 'request', perMs: 1000 }), 32)).toBe(32)
    expect(windowOf(channel('apns', { rate: 0, unit: 'token', perMs: 1000 }), 32)).toBe(32)
  })

  it('is nothing where an operator paused it, one chunk where it goes on by itself', () => {
    expect(windowOf(channel('fcm', unlimited, 'maintenance'), 32)).toBe(0)
    expect(windowOf(channel('fcm', unlimited, 'credentials refused: 401'), 32)).toBe(1)
    expect(windowOf(channel('fcm', unlimited, 'daily quota used up until 2030-01-01T00:00:00.000Z'), 32)).toBe(1)
  })
})
