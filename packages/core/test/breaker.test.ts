import { beforeEach, describe, expect, it } from '@jest/globals'
import type { Channel } from '../src/nouns/channel.ts'
import type { Pause } from '../src/nouns/pause.ts'
import { Breaker } from '../src/vendor/breaker.ts'

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }
const MAINTENANCE: Pause = { by: 'app', reason: 'maintenance' }
const NOON = Date.parse('2026-11-22T12:00:00Z')

let channel: Channel
let leases: Set<string>
let breaker: Breaker
beforeEach(() => {
  const limits = { rate: 0, unit: 'token', perMs: 1000 } as const
  const at = new Date(NOON)
  channel = { id: '1', appId: '2', platform: 'xiaomi', name: 'x', limits, settings: {}, createdAt: at, updatedAt: at }
  leases = new Set()
  breaker = breakerOf()
})

function breakerOf(now = NOON): Breaker {
  const update = async (_id: string, change: { pause?: Pause | null }) => {
    const { pause: _, ...rest } = channel
    channel = change.pause ? { ...rest, pause: change.pause } : rest
    return channel
  }
  const lease = async (name: string) => {
    if (leases.has(name)) return false
    leases.add(name)
    return true
  }
  return new Breaker({ store: { channels: { update }, lease }, log: quiet, holder: 'me', now: () => now })
}

async function refuse(times: number): Promise<void> {
  for (let time = 0; time < times; time++) await breaker.refused(channel, '21301 app secret')
}

describe('the breaker', () => {
  it('pauses after five refusals in a row, with the reason', async () => {
    await refuse(4)
    expect(channel.pause).toBeUndefined()
    await refuse(1)
    expect(channel.pause).toEqual({ by: 'credentials', reason: '21301 app secret' })
  })

  it('pauses where the count went past five without a pause', async () => {
    let down = true
    const update = async (_id: string, change: { pause?: Pause | null }) => {
      if (down) throw new Error('the store is away')
      if (change.pause) channel = { ...channel, pause: change.pause }
      return channel
    }
    const store = { channels: { update }, lease: async () => true }
    breaker = new Breaker({ store, log: quiet, holder: 'me', now: () => NOON })
    await refuse(4)
    await expect(refuse(1)).rejects.toThrow('the store is away')
    down = false
    await refuse(1)
    expect(channel.pause).toEqual({ by: 'credentials', reason: '21301 app secret' })
  })

  it('pauses again what another process resumed while its credential is still refused', async () => {
    await refuse(6)
    const { pause: _, ...rest } = channel
    channel = { ...rest, updatedAt: new Date(NOON + 1000) }
    await refuse(1)
    expect(channel.pause).toEqual({ by: 'credentials', reason: '21301 app secret' })
  })

  it('writes one pause for a wave of refusals that come late', async () => {
    const stale = channel
    await refuse(5)
    const paused = channel
    for (let time = 0; time < 20; time++) await breaker.refused(stale, 'late')
    expect(channel).toBe(paused)
  })

  it('counts only refusals in a row', async () => {
    await refuse(4)
    await breaker.succeeded(channel)
    await refuse(4)
    expect(channel.pause).toBeUndefined()
  })

  it('lets one process of the fleet probe, and resumes when the probe succeeds', async () => {
    await refuse(5)
    const other = breakerOf()
    expect(await breaker.mayProbe(channel)).toBe(true)
    expect(await other.mayProbe(channel)).toBe(false)
    expect(await breaker.mayProbe(channel)).toBe(false)
    await breaker.succeeded(channel)
    expect(channel.pause).toBeUndefined()
  })

  it('never probes what an operator paused', async () => {
    channel = { ...channel, pause: MAINTENANCE }
    expect(await breaker.mayProbe(channel)).toBe(false)
    await breaker.succeeded(channel)
    expect(channel.pause).toEqual(MAINTENANCE)
  })

  it('starts a channel with few requests at once, and one where it was refused', async () => {
    expect(breaker.enter('1', 10)).toBe(4)
    expect(breaker.enter('1', 10)).toBe(0)
    breaker.left('1', 4)
    await breaker.succeeded(channel)
    expect(breaker.enter('1', 10)).toBe(10)
    breaker.left('1', 10)
    await refuse(1)
    expect(breaker.enter('1', 10)).toBe(1)
  })

  it("stops a channel whose daily quota is used up until the vendor's next day", async () => {
    await breaker.quotaUsed(channel)
    expect(channel.pause).toEqual({ by: 'quota', until: new Date('2026-11-22T16:00:00.000Z') })
    expect(await breaker.mayProbe(channel)).toBe(false)
    expect(channel.pause).toBeDefined()
    await breakerOf(Date.parse('2026-11-22T16:00:01Z')).mayProbe(channel)
    expect(channel.pause).toBeUndefined()
  })
})
