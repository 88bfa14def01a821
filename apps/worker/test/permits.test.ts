import type { ChannelLimits } from '@fanfare/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

const FIVE_PER_SECOND: ChannelLimits = { rate: 5, unit: 'request', perMs: 1000 }
const windowsOf = (vendor: 'fcm' | 'xiaomi', limit: number, windowMs: number) =>
  rig.simulator.journal.windows({ vendor, limit, windowMs, unit: 'request' })

describe('a request that follows another one', () => {
  it('has a permit of its own where Xiaomi wants a batch split', async () => {
    const channel = await rig.channel('xiaomi', { limits: FIVE_PER_SECOND })
    await rig.worker()
    const tasks: string[] = []
    for (let count = 0; count < 5; count++) {
      tasks.push(await rig.task(channel, await rig.devices(channel, tokens(`gone-split-${count}`, 20))))
    }
    await rig.enqueue(channel, tasks)
    for (const task of tasks) expect(await rig.outcomes(task, 40_000)).toEqual({ rejected: 20 })
    expect(windowsOf('xiaomi', 5, 1000)).toMatchObject({ windowsOver: 0 })
    expect(rig.simulator.journal.counts('xiaomi').requests).toBe(15)
  })

  it('comes later where its permit is far off, and a split batch goes on where it stopped', async () => {
    const channel = await rig.channel('xiaomi', { limits: { rate: 1, unit: 'request', perMs: 1500 } })
    await rig.worker()
    rig.simulator.faults.set({ vendor: 'xiaomi', kind: 'code', code: '20301', count: 1 })
    const task = await rig.task(channel, await rig.devices(channel, tokens('ok-slow', 20)))
    await rig.enqueue(channel, [task])
    expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 20 })
    expect(windowsOf('xiaomi', 1, 1500)).toMatchObject({ windowsOver: 0 })
    expect(rig.simulator.journal.counts('xiaomi')).toMatchObject({ requests: 3, duplicates: 0 })
  })

  it('has a permit of its own where an access token was refused', async () => {
    const channel = await rig.channel('fcm', { limits: { rate: 10, unit: 'token', perMs: 1000 } })
    await rig.worker()
    const devices = await rig.devices(channel, tokens('expired-1', 12))
    const task = await rig.task(channel, devices, { lane: 'bulk' })
    await rig.enqueue(channel, [task], 'bulk')
    expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 12 })
    expect(windowsOf('fcm', 10, 1000)).toMatchObject({ windowsOver: 0 })
  })
})

describe('a rate below one per window', () => {
  it('is one per longer window', async () => {
    const channel = await rig.channel('fcm', { limits: { rate: 0.5, unit: 'token', perMs: 500 } })
    await rig.worker()
    const devices = await rig.devices(channel, tokens('ok-rare', 4))
    const tasks = await Promise.all(devices.map((device) => rig.task(channel, [device])))
    await rig.enqueue(channel, tasks)
    for (const task of tasks) expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 1 })
    expect(windowsOf('fcm', 1, 1000)).toMatchObject({ windowsOver: 0, arrivals: 4 })
  })
})
