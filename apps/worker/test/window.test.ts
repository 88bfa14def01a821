import { pauseOfSentence } from '@fanfare/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

/** More than the places of a platform in Redis. */
const CHANNELS = 280

describe('the window of a platform', () => {
  it.each(['maintenance', 'credentials refused: 401'])('is not taken by channels paused for %s', async (pausedFor) => {
    const appId = await rig.app()
    for (let count = 0; count < CHANNELS; count++) {
      const channel = await rig.channel('xiaomi', { appId })
      await rig.devices(channel, [`ok-${pausedFor.slice(0, 4)}-${channel.id}`])
      await rig.store.channels.update(channel.id, { pause: pauseOfSentence(pausedFor) })
    }
    await rig.worker()
    const held = await rig.broadcast(appId)
    await rig.jobs.enqueuePlan(held)
    await until('the held broadcast is planned', async () => (await rig.task_(held))?.plan?.complete === true, 40_000)
    const runs = await rig.channel('xiaomi')
    await rig.devices(runs, tokens(`ok-runs-${pausedFor.slice(0, 4)}`, 3000))
    const task = await rig.broadcast(runs.appId)
    await rig.jobs.enqueuePlan(task)
    expect(await rig.outcomes(task)).toEqual({ sent: 3000 })
  })
})
