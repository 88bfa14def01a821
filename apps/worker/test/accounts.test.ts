import type { Channel, ChannelLimits } from '@fanfare/core'
import { accountKey } from '@fanfare/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

const FIVE: ChannelLimits = { rate: 5, unit: 'token', perMs: 2000 }

/** As the first version wrote it: without a word on whose limit it counts against. */
async function fcm(credential: string, limits: ChannelLimits): Promise<Channel> {
  const channel = await rig.channel('fcm', { limits })
  await rig.store.channels.update(channel.id, { credential })
  const [found] = await rig.store.channels.byIds([channel.id])
  if (!found) throw new Error('the channel is not there')
  expect(found.account).toBeUndefined()
  return found
}

async function pushes(channel: Channel, names: readonly string[]): Promise<string[]> {
  const devices = await rig.devices(channel, names)
  const tasks = await Promise.all(devices.map((device) => rig.task(channel, [device])))
  await rig.enqueue(channel, tasks)
  return tasks
}

const stored = async ({ id }: Channel) => (await rig.store.channels.byIds([id]))[0]

describe('channels of the first version', () => {
  it('with the same credential share its limit from their first opening on', async () => {
    const credential = (await rig.store.channels.credential((await rig.channel('fcm')).id)) ?? ''
    const [one, other] = [await fcm(credential, FIVE), await fcm(credential, { ...FIVE, rate: 50 })]
    await rig.worker()
    // Opens both.
    const opening = [...(await pushes(one, ['ok-open-1'])), ...(await pushes(other, ['ok-open-2']))]
    for (const task of opening) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    await until('both are known', async () => {
      const [first, second] = [await stored(one), await stored(other)]
      return first?.account !== undefined && first.account.key === second?.account?.key
    })
    expect((await stored(one))?.updatedAt).toEqual(one.updatedAt)
    rig.simulator.reset()
    const tasks = [...(await pushes(one, tokens('ok-one', 8))), ...(await pushes(other, tokens('ok-other', 8)))]
    for (const task of tasks) expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 1 })
    const query = { vendor: 'fcm', limit: 5, windowMs: 2000 } as const
    expect(rig.simulator.journal.windows(query)).toMatchObject({ windowsOver: 0, arrivals: 16 })
  })

  it('that only claim the same project are accounts of their own, also before they are opened', async () => {
    const [victim, attacker] = [await rig.channel('fcm', { limits: FIVE }), await rig.channel('fcm', { limits: FIVE })]
    const claim = { projectId: 'the-victims-project' }
    const claimed = await Promise.all(
      [victim, attacker].map(({ id }) => rig.store.channels.update(id, { settings: claim })),
    )
    const [one, other] = claimed.map((channel) => channel && accountKey(channel))
    expect(one).not.toBe(other)
    await rig.worker()
    await pushes(attacker, tokens('ok-flood', 50))
    const from = performance.now()
    for (const task of await pushes(victim, tokens('ok-victim', 5)))
      expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    // The attacker's backlog alone needs ten windows.
    expect(performance.now() - from).toBeLessThan(10 * FIVE.perMs)
    await until(
      'the credential says the project',
      async () => (await stored(victim))?.account?.id.startsWith('project-') === true,
    )
  })
})
