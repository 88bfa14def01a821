import { describe, expect, it } from '@jest/globals'
import type { Channel } from '../src/nouns/channel.ts'
import type { Limiter } from '../src/ports/limiter.ts'
import { type Batch, BusyError, type Pusher, type PushResult } from '../src/ports/pusher.ts'
import { Vendors } from '../src/vendor/vendors.ts'

const never = new AbortController().signal
const channel = { id: '1', platform: 'fcm', limits: { rate: 0, unit: 'token', perMs: 1000 } } as Channel
const members = ['a', 'b'].map((id) => ({ id, token: `token-${id}` }))
const batch: Batch = {
  ...{ id: '1', taskId: '1', message: { title: 'a', content: 'b' }, lane: 'single', wantsReply: false, members },
  expiresAt: new Date(Date.now() + 60_000),
}

/** Vendors that answer with `push`, and what was told and given back, in order. */
function vendorsWith(push: Pusher['push']) {
  const told: string[] = []
  const limiter = { slowDown: async (_: Channel, afterMs: number) => void told.push(`slow down ${afterMs}`) }
  const pusher = { batchSize: 1, push, close: async () => undefined }
  const vendors = new Vendors({
    store: {
      channels: { update: async () => undefined },
      devices: { markInvalid: async (tokens) => told.push(`dead ${tokens.map(({ id }) => id)}`) },
      lease: async () => true,
    },
    pushers: { for: async () => pusher, drop: () => undefined, close: async () => undefined },
    limiter: limiter as unknown as Limiter,
    ...{ holder: 'me', now: Date.now, channelOf: () => channel },
  })
  const leave = {
    ...{ members: 2, restMs: () => 0, keep: () => undefined, unused: () => undefined },
    answered: () => void told.push('answered'),
  }
  const again = async () => ({ afterMs: 1 })
  return { told, vendors, call: () => vendors.call({ channel, batch, leave, again, signal: never }) }
}

describe('a call to a vendor', () => {
  it('slows the account down before its leave is given back, also where some members were sent', async () => {
    const results: PushResult[] = [
      { id: 'a', outcome: 'sent' },
      { id: 'b', outcome: 'deferred', reason: '429', busy: true, afterMs: 700 },
    ]
    const { told, call } = vendorsWith(async () => results)
    expect(await call()).toEqual({ is: 'results', results })
    expect(told).toEqual(['slow down 700', 'answered'])
  })

  it('slows the account down where the vendor names no time', async () => {
    const { told, call } = vendorsWith(() => Promise.reject(new BusyError('busy')))
    expect(await call()).toEqual({ is: 'busy', reason: 'busy', afterMs: 5000 })
    expect(told).toEqual(['slow down 5000', 'answered'])
  })

  it('answers in the order of the members, and with nothing for whom the vendor left out', async () => {
    const { call } = vendorsWith(async () => [{ id: 'b', outcome: 'sent' }])
    expect(await call()).toEqual({ is: 'results', results: [undefined, { id: 'b', outcome: 'sent' }] })
  })

  it('gives up the tokens that are dead', async () => {
    const { told, vendors } = vendorsWith(async () => [])
    vendors.learn(channel, members, [
      { id: 'a', outcome: 'sent' },
      { id: 'b', outcome: 'invalid', reason: 'gone' },
    ])
    expect(told).toEqual(['dead b'])
  })
})
