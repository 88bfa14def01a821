import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(90_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

describe('an app whose vendor answers late', () => {
  it.each(['single', 'bulk'] as const)('holds up nobody else with its %s chunks', async (lane) => {
    const stalls = await rig.channel('xiaomi')
    const works = await rig.channel('xiaomi')
    const late = await rig.devices(stalls, tokens(`slow-15000-${lane}`, 700))
    const [quick = ''] = await rig.devices(works, [`ok-${lane}`])
    const held = await Promise.all(late.map((device) => rig.task(stalls, [device], { lane })))
    await rig.worker()
    await rig.enqueue(stalls, held, lane)
    // The first few prove nothing yet: a channel that is silent for some seconds may have all its places.
    const most = lane === 'single' ? 30 : 5
    await until('it holds its places', () => rig.simulator.journal.counts('xiaomi').requests >= most, 40_000)
    const asked = performance.now()
    const task = await rig.task(works, [quick], { lane })
    await rig.enqueue(works, [task], lane)
    expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    expect(performance.now() - asked).toBeLessThan(8000)
    for (const id of held) await rig.cancel(id)
  })
})
