import { BusyError } from '@fanfare/core'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { Openings } from '../src/registry/openings.ts'
import { channelOf } from './lab.ts'

const held = new Map<string, string>()
const lease = async (name: string, holder: string, leaseMs: number) => {
  if (leaseMs > 0 && !held.has(name)) held.set(name, holder)
  const mine = held.get(name) === holder
  if (leaseMs === 0 && mine) held.delete(name)
  return mine && leaseMs > 0
}
/** As a process that ends while it opens. */
const dies = () => new Promise<never>(() => undefined)
const opens = () => Promise.resolve('open')

beforeEach(() => {
  held.clear()
  jest.useFakeTimers()
})
afterEach(() => void jest.useRealTimers())

async function killed(processes: number, channel = channelOf('fcm'), credential = 'secret') {
  for (let time = 0; time < processes; time++) {
    void new Openings(lease).record(channel, credential, dies)
    await jest.advanceTimersByTimeAsync(1)
  }
  return channel
}

describe('recorded openings', () => {
  it('give their places back', async () => {
    const openings = new Openings(lease)
    await Promise.all(Array.from({ length: 20 }, () => openings.record(channelOf('fcm'), 'secret', opens)))
    await openings.close()
    expect(held.size).toBe(0)
  })

  it('go on after four that did not come back in a row, and end with the fifth, once it is sure', async () => {
    const channel = channelOf('fcm')
    for (let time = 0; time < 3; time++) {
      await killed(4, channel)
      expect(await new Openings(lease).record(channel, 'secret', opens)).toBe('open')
      await jest.advanceTimersByTimeAsync(1)
    }
    await killed(5, channel)
    const later = new Openings(lease)
    const never = jest.fn(opens)
    await expect(later.record(channel, 'secret', never)).rejects.toThrow(BusyError)
    await jest.advanceTimersByTimeAsync(9000)
    await expect(later.record(channel, 'secret', never)).rejects.toThrow('opening it ended the process 5 times')
    expect(never).not.toHaveBeenCalled()
    expect(await later.record(channel, 'another', opens)).toBe('open')
    expect(await later.record(channelOf('fcm'), 'secret', opens)).toBe('open')
  })

  it('take one place at most of those that are opened beside one that ends its process', async () => {
    const channels = Array.from({ length: 10 }, () => channelOf('fcm'))
    const [bad, ...others] = channels as [(typeof channels)[0], ...typeof channels]
    for (let time = 0; time < 5; time++) {
      const openings = new Openings(lease)
      for (const channel of channels) void openings.record(channel, 'secret', dies)
      await jest.advanceTimersByTimeAsync(1)
    }
    const lost = (id: string) => [...held.keys()].filter((name) => name.startsWith(`opening:${id}:`)).length
    expect(lost(bad.id)).toBe(5)
    expect(others.map(({ id }) => lost(id))).toEqual(others.map(() => 1))
  })
})
