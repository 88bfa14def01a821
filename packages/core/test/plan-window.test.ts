import { describe, expect, it } from '@jest/globals'
import { type Backlog, share, windowOf } from '../src/plan-window.ts'
import type { Channel, ChannelLimits, PlatformName } from '../src/types.ts'

const row = (appId: string, channelId: string, open = 0, most = 32): Backlog => {
  return { appId, channelId, platform: 'fcm', open, most }
}
function shared(rows: readonly Backlog[], free: number): Record<string, number> {
  const picked = new Map<Backlog, number>()
  share(rows, free, picked)
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

describe('the window of a channel', () => {
  const channel = (platform: PlatformName, limits: ChannelLimits, pausedFor?: string): Channel => {
    const at = new Date()
    const fixed = { id: '1', appId: '2', name: 'x', settings: {}, createdAt: at, updatedAt: at }
    return { ...fixed, platform, limits, ...(pausedFor && { pausedFor }) }
  }

  it('holds what the channel may send in two seconds', () => {
    expect(windowOf(channel('fcm', { rate: 500, unit: 'token', perMs: 1000 }), 32)).toBe(4)
    expect(windowOf(channel('huawei', { rate: 6000, unit: 'token', perMs: 1000 }), 32)).toBe(14)
    expect(windowOf(channel('xiaomi', { rate: 500, unit: 'request', perMs: 1000 }), 32)).toBe(32)
    expect(windowOf(channel('apns', { rate: 0, unit: 'token', perMs: 1000 }), 32)).toBe(32)
  })

  it('is one chunk where the channel is paused', () => {
    expect(windowOf(channel('fcm', { rate: 0, unit: 'token', perMs: 1000 }, 'maintenance'), 32)).toBe(1)
  })
})
