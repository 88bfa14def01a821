import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

it('sends nothing for a disabled app, keeps what it queued, and sends it once the app is enabled', async () => {
  const channel = await rig.channel('xiaomi')
  const other = await rig.channel('xiaomi')
  const devices = await rig.devices(channel, tokens('ok-disabled', 2500))
  const [device = ''] = await rig.devices(other, tokens('ok-other', 1))
  await rig.store.apps.update(channel.appId, { disabled: true })
  await rig.worker()
  const broadcast = await rig.broadcast(channel.appId)
  await rig.jobs.enqueuePlan(broadcast)
  const single = await rig.task(channel, devices.slice(0, 1))
  await rig.enqueue(channel, [single])
  await until('the broadcast is planned', async () => (await rig.task_(broadcast))?.plan?.complete === true)
  const others = await rig.task(other, [device])
  await rig.enqueue(other, [others])
  expect(await rig.outcomes(others)).toEqual({ sent: 1 })
  // Longer than a paused job is put off.
  await sleep(2500)
  expect(await rig.counts(broadcast)).toEqual({ unsent: 2500 })
  expect(await rig.counts(single)).toEqual({ unsent: 1 })
  await rig.store.apps.update(channel.appId, { disabled: false })
  expect(await rig.outcomes(broadcast)).toEqual({ sent: 2500 })
  expect(await rig.outcomes(single)).toEqual({ sent: 1 })
})

it('stops a broadcast that is being sent', async () => {
  const channel = await rig.channel('fcm', { limits: { rate: 300, unit: 'token', perMs: 1000 } })
  await rig.devices(channel, tokens('ok-midway', 3000))
  await rig.worker()
  const broadcast = await rig.broadcast(channel.appId)
  await rig.jobs.enqueuePlan(broadcast)
  await until('some is sent', async () => ((await rig.counts(broadcast)).sent ?? 0) > 50)
  await rig.store.apps.update(channel.appId, { disabled: true })
  let before = -1
  const still = async () => {
    const sent = (await rig.counts(broadcast)).sent ?? 0
    const isStill = sent === before
    before = sent
    await sleep(1500)
    return isStill
  }
  await until('it stands still', still, 8000)
  expect(before).toBeLessThan(3000)
})
