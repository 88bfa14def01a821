import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until, withoutHeartbeat } from './rig.ts'

jest.setTimeout(30_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

describe('delivering', () => {
  it('sends one push, records it and closes its task', async () => {
    await rig.worker()
    const channel = await rig.channel('fcm')
    const [device = ''] = await rig.devices(channel, ['ok-one'])
    const task = await rig.task(channel, [device])
    await rig.enqueue(channel, [task])
    expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 1, duplicates: 0 })
  })

  it.each([0, 1, 999, 1000])('sends all of %i members and counts them', async (members) => {
    await rig.worker()
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, tokens(`ok-all${members}`, members))
    const task = await rig.task(channel, devices, { lane: 'bulk' })
    await rig.enqueue(channel, [task], 'bulk')
    expect(await rig.outcomes(task)).toEqual(members === 0 ? {} : { sent: members })
    expect(rig.simulator.journal.counts('xiaomi')).toMatchObject({ accepted: members, duplicates: 0 })
  })

  it('tries only the three deferred of a thousand again', async () => {
    await rig.worker()
    const channel = await rig.channel('fcm')
    rig.simulator.faults.set({ vendor: 'fcm', kind: '503', retryAfterSeconds: 1, count: 3 })
    const devices = await rig.devices(channel, tokens('ok-many', 1000))
    const task = await rig.task(channel, devices, { lane: 'bulk' })
    await rig.enqueue(channel, [task], 'bulk')
    expect(await rig.outcomes(task)).toEqual({ sent: 1000 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ arrivals: 1003, accepted: 1000, duplicates: 0 })
  })

  it('gives up a member whose tries are used up, with the last reason', async () => {
    await rig.worker()
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, ['error-always'])
    const task = await rig.task(channel, devices)
    await rig.enqueue(channel, [task])
    expect(await rig.outcomes(task)).toEqual({ unknown: 1 })
    expect(rig.simulator.journal.arrivalsOf('xiaomi', 'error-always')).toHaveLength(6)
  })

  it('fails members whose device went after the task was accepted', async () => {
    const channel = await rig.channel('xiaomi')
    const [gone = '', stays = ''] = await rig.devices(channel, ['ok-gone-device', 'ok-stays'])
    const task = await rig.task(channel, [gone, stays])
    await rig.store.devices.unbind(channel.appId, `user-${gone}`, 'phone')
    await rig.worker()
    await rig.enqueue(channel, [task])
    expect(await rig.outcomes(task)).toEqual({ rejected: 1, sent: 1 })
    expect((await rig.store.tasks.counts(task))[0]?.byReason).toEqual({ 'no push binding': 1 })
  })

  it('fails what was to go through a channel that was removed, in the words of the sweeper', async () => {
    const channel = await rig.channel('xiaomi')
    const task = await rig.task(channel, await rig.devices(channel, ['ok-no-channel']))
    await rig.store.channels.remove(channel.id)
    await rig.enqueue(channel, [task])
    await rig.worker({ sweeper: false })
    expect(await rig.outcomes(task)).toEqual({ rejected: 1 })
    expect((await rig.store.tasks.counts(task))[0]?.byReason).toEqual({ 'no notifier exist': 1 })
  })

  it('marks a dead token once the channel has proved itself, and keeps all where none was reached', async () => {
    await rig.worker()
    const channel = await rig.channel('fcm')
    const [live = '', dead = ''] = await rig.devices(channel, ['ok-live', 'gone-dead'])
    const first = await rig.task(channel, [live, dead])
    await rig.enqueue(channel, [first])
    expect(await rig.outcomes(first)).toEqual({ sent: 1, invalid: 1 })
    await until('the dead token is marked', async () => (await rig.store.devices.byIds([dead]))[0]?.live === false)

    const wrong = await rig.channel('fcm')
    const suspects = await rig.devices(wrong, tokens('foreign-all', 30))
    const second = await rig.task(wrong, suspects, { lane: 'bulk' })
    await rig.enqueue(wrong, [second], 'bulk')
    expect(await rig.outcomes(second)).toEqual({ invalid: 30 })
    await until('the alert', () => rig.logged.some((line) => line['alert'] === 'dead-token-gate'))
    const after = await rig.store.devices.byIds(suspects)
    expect(after.filter((device) => device?.live)).toHaveLength(30)
  })

  it('does not send what another worker took over, and counts nothing twice', async () => {
    const channel = await rig.channel('fcm')
    const devices = await rig.devices(channel, tokens('ok-zombie', 300))
    const task = await rig.task(channel, devices, { lane: 'bulk' })
    let stolen = false
    const steal = async (point: string) => {
      if (point !== 'before-mark' || stolen) return
      stolen = true
      await until('the lease has passed', async () => {
        const [claimed] = await rig.store.chunks.claim([{ taskId: task, seq: 0, gen: 0 }], 300, 100)
        return claimed !== undefined
      })
    }
    await rig.worker({ at: steal, sweeper: false, store: withoutHeartbeat(rig.store) }, { leaseMs: 300 })
    await rig.enqueue(channel, [task], 'bulk')
    await until('the zombie noticed', () => rig.logged.some((line) => line.text.includes('held by another worker')))
    expect(rig.simulator.journal.counts('fcm').arrivals).toBeLessThanOrEqual(100)
    await rig.stopWorkers()
    await rig.worker()
    expect(await rig.outcomes(task)).toEqual({ sent: 300 })
  })
})
