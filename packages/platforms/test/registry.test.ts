import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, ChannelError, type Pushers } from '@fanfare/core'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { openPushers, type PushersOptions, VERDICTS } from '../src/index.ts'
import { batchOf, channelOf, credentialOf, never } from './lab.ts'

let simulator: Simulator
beforeAll(async () => {
  simulator = await startSimulator()
})
afterAll(() => simulator.close())
beforeEach(() => simulator.reset())

/** Counts how often a channel was opened: each opening reads its credential. */
function pushersWith(credential: (channelId: string) => string | undefined, more: Partial<PushersOptions> = {}) {
  let opened = 0
  const pushers = openPushers({
    credentialOf: (channelId) => {
      opened++
      return Promise.resolve(credential(channelId))
    },
    vendorUrl: simulator.url,
    ca: simulator.caPem,
    ...more,
  })
  return { pushers, opened: () => opened }
}

const push = async (pushers: Pushers, channel: Channel, token = 'ok-1') =>
  (await pushers.for(channel)).push(batchOf([token]), never)

describe('open pushers', () => {
  it('are one per channel, opened once by many askers', async () => {
    const { pushers, opened } = pushersWith(() => credentialOf('fcm'))
    const channel = channelOf('fcm')
    await Promise.all(Array.from({ length: 20 }, () => push(pushers, channel)))
    expect(opened()).toBe(1)
    expect(simulator.journal.counts().accepted).toBe(20)
    await push(pushers, channelOf('fcm'))
    expect(opened()).toBe(2)
    await pushers.close()
  })

  it('are opened anew when the channel changed or was dropped', async () => {
    const { pushers, opened } = pushersWith(() => 'secret')
    const channel = channelOf('xiaomi')
    await push(pushers, channel)
    await push(pushers, { ...channel, updatedAt: new Date(channel.updatedAt.getTime() + 1) })
    expect(opened()).toBe(2)
    pushers.drop(channel.id)
    await push(pushers, channel)
    expect(opened()).toBe(3)
    await pushers.close()
  })

  it('beyond their bound are closed where they rest, and never while a push is under way', async () => {
    const { pushers, opened } = pushersWith(() => credentialOf('fcm'), { mostKept: 4 })
    const busy = channelOf('fcm')
    const pending = push(pushers, busy, 'slow-1500-busy')
    while (simulator.journal.counts().arrivals === 0) await sleep(5)
    const resting = Array.from({ length: 4 }, () => channelOf('fcm'))
    for (const channel of resting) await push(pushers, channel)
    expect(opened()).toBe(5)
    const now = Date.now()
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => now + 2000)
    for (let more = 0; more < 2; more++) await push(pushers, channelOf('fcm'))
    await push(pushers, busy)
    expect(opened()).toBe(7)
    expect(await pending).toMatchObject([{ outcome: 'sent' }])
    for (const channel of resting) await push(pushers, channel)
    expect(opened()).toBe(11)
    clock.mockRestore()
    await pushers.close()
  })

  it('finish what is under way when dropped, and take no more', async () => {
    const { pushers } = pushersWith(() => credentialOf('fcm'))
    const channel = channelOf('fcm')
    const pusher = await pushers.for(channel)
    const pending = pusher.push(batchOf(['slow-300-a']), never)
    while (simulator.journal.counts().requests === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    pushers.drop(channel.id)
    expect(await pending).toMatchObject([{ outcome: 'sent' }])
    expect(await pusher.push(batchOf(['ok-1']), never)).toMatchObject([{ outcome: 'deferred', free: true }])
    await pushers.close()
  })

  it('are closed when idle, not while they push', async () => {
    const { pushers, opened } = pushersWith(() => credentialOf('fcm'), { idleMs: 150 })
    const channel = channelOf('fcm')
    const pusher = await pushers.for(channel)
    expect(await pusher.push(batchOf(['slow-600-a']), never)).toMatchObject([{ outcome: 'sent' }])
    expect(opened()).toBe(1)
    const deadline = Date.now() + 3000
    while (opened() === 1 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      await push(pushers, channel)
    }
    expect(opened()).toBe(2)
    await pushers.close()
  })

  it('reject with ChannelError without a credential or a pusher for the platform', async () => {
    const { pushers } = pushersWith(() => undefined)
    await expect(pushers.for(channelOf('fcm'))).rejects.toThrow(ChannelError)
    await expect(pushers.for(channelOf('online'))).rejects.toThrow('platform online has no pusher')
    await pushers.close()
  })

  it('keep the credentials of two channels apart', async () => {
    const first = channelOf('xiaomi')
    const { pushers } = pushersWith((channelId) => (channelId === first.id ? 'secret-1' : 'secret-2'))
    await Promise.all([push(pushers, first), push(pushers, channelOf('xiaomi'))])
    const used = simulator.journal.requests({ vendor: 'xiaomi' }).map(({ headers }) => headers['authorization'])
    expect(new Set(used).size).toBe(2)
    await pushers.close()
  })
})

it('every vendor has a verdict table with its link', () => {
  for (const table of Object.values(VERDICTS)) {
    expect(table.link).toMatch(/^https:\/\//)
    expect(table.rows.length).toBeGreaterThan(3)
    for (const row of table.rows) expect(row.when).not.toBe('')
  }
})
