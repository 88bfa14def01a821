import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { IdleMap } from '../src/common/idle-map.ts'
import type { Channel } from '../src/nouns/channel.ts'
import { Breaker } from '../src/vendor/breaker.ts'
import { DeadTokenGate } from '../src/vendor/dead-token-gate.ts'

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

describe('a map of channels', () => {
  it('drops what is idle beyond its bound, and never what is in use', () => {
    const map = new IdleMap<{ used: boolean }>(({ used }) => !used, 100)
    for (const n of numbers(50)) map.set(`used-${n}`, { used: true })
    for (const n of numbers(10_000)) map.set(`idle-${n}`, { used: false })
    expect(map.size).toBeLessThanOrEqual(110)
    for (const n of numbers(50)) expect(map.get(`used-${n}`)).toEqual({ used: true })
    expect(map.get('idle-9999')).toBeDefined()
  })

  it('grows where all is in use, without a look at all of it for each new one', () => {
    let looks = 0
    const map = new IdleMap<number>(() => ++looks < 0, 100)
    for (const n of numbers(10_000)) map.set(String(n), n)
    expect(map.size).toBe(10_000)
    expect(looks).toBeLessThan(200_000)
  })
})

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

describe('what is kept of channels that were used once', () => {
  beforeEach(() => void jest.useFakeTimers())
  afterEach(() => void jest.useRealTimers())

  it('keeps the requests under way of a channel, and forgets those long unused', async () => {
    const store = { channels: { update: async () => undefined }, lease: async () => true }
    const breaker = new Breaker({ store, log, holder: 'me', now: Date.now, mostChannels: 100 })
    await breaker.refused(channelOf('busy'), 'refused')
    await breaker.refused(channelOf('unused'), 'refused')
    expect(breaker.enter('busy', 4)).toBe(1)
    jest.advanceTimersByTime(61_000)
    for (const n of numbers(1000)) breaker.left(String(n), breaker.enter(String(n), 1))
    expect(breaker.enter('busy', 4)).toBe(0)
    breaker.left('busy', 1)
    expect(breaker.enter('busy', 4)).toBe(1)
    // As new: four requests, where one that was refused gets one.
    expect(breaker.enter('unused', 10)).toBe(4)
  })

  it('keeps the tokens that wait for their verdict', () => {
    const marked: string[] = []
    const markInvalid = async (tokens: readonly { id: string }[]) => marked.push(...tokens.map(({ id }) => id))
    const gate = new DeadTokenGate({ store: { devices: { markInvalid } }, log, waitMs: 600_000, mostChannels: 10 })
    gate.judge({ id: 'waits' }, [{ id: 'd', token: 't', gated: true }], 0)
    jest.advanceTimersByTime(61_000)
    for (const n of numbers(1000)) gate.judge({ id: String(n) }, [], 1)
    gate.judge({ id: 'waits' }, [], 1)
    expect(marked).toEqual(['d'])
  })
})

function channelOf(id: string): Channel {
  const limits = { rate: 0, unit: 'token', perMs: 1000 } as const
  const at = new Date()
  return { id, appId: '1', platform: 'xiaomi', name: id, limits, settings: {}, createdAt: at, updatedAt: at }
}
