import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import type { Channel, ChannelLimits } from '../src/nouns/channel.ts'
import type { Limiter, PermitAsk } from '../src/ports/limiter.ts'
import type { Pusher } from '../src/ports/pusher.ts'
import { Admission } from '../src/vendor/admission.ts'
import type { Breaker } from '../src/vendor/breaker.ts'

const breaker = { enter: (_: string, wanted: number) => wanted, left: () => undefined } as unknown as Breaker
const channelOf = (limits: ChannelLimits) => ({ id: '1', limits }) as Channel
const pusherOf = (batchSize: number) => ({ batchSize }) as Pusher

/** Denies for `deniedMs` until it is told to open, and remembers what it was asked for. */
function limiterOf(deniedMs: number) {
  const asks: PermitAsk[] = []
  const gate = { open: false, asks }
  const take = async (_: Channel, ask: PermitAsk) => {
    asks.push(ask)
    if (!gate.open) return { afterMs: deniedMs }
    return { units: ask.units, answered: () => undefined, unused: () => undefined }
  }
  return { gate, limiter: { take } as unknown as Limiter }
}

describe('admission', () => {
  it('keeps chunks that have not begun away from the limiter while two others wait for it', async () => {
    const { gate, limiter } = limiterOf(250)
    const admission = new Admission(breaker, limiter)
    const channel = channelOf({ rate: 6000, unit: 'token', perMs: 1000 })
    const begun = () => admission.ask(channel, pusherOf(1000), { members: 1000, lane: 'bulk', begun: true })
    const waiting = [begun(), begun()]
    await turn()
    const asked = gate.asks.length
    const denied = await admission.ask(channel, pusherOf(1000), { members: 1000, lane: 'bulk' })
    expect(gate.asks.length).toBe(asked)
    // Two chunks of a thousand at 6,000 a second.
    expect((denied as { afterMs: number }).afterMs).toBeGreaterThanOrEqual(333)
    gate.open = true
    expect((await Promise.all(waiting)).map((leave) => 'afterMs' in leave)).toEqual([false, false])
    expect(await admission.ask(channel, pusherOf(1000), { members: 1000, lane: 'bulk' })).toMatchObject({
      members: 1000,
    })
  })

  it('asks for few where each request carries one, since a permit is held until the last is answered', async () => {
    const { gate, limiter } = limiterOf(250)
    gate.open = true
    const admission = new Admission(breaker, limiter)
    const ask = (rate: number) =>
      admission.ask(channelOf({ rate, unit: 'token', perMs: 1000 }), pusherOf(1), { members: 1000, lane: 'bulk' })
    for (const rate of [1, 500, 100_000]) await ask(rate)
    expect(gate.asks.map(({ units, least }) => ({ units, least }))).toEqual([
      { units: 1, least: 1 },
      { units: 10, least: 10 },
      { units: 25, least: 25 },
    ])
  })
})
