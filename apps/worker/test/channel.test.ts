import { SealError, StoreDownError, sentenceOfPause } from '@fanfare/core'
import { openChannelHints } from '@fanfare/queue'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

type Channel = Awaited<ReturnType<Rig['channel']>>

async function pushes(channel: Channel, names: readonly string[]): Promise<string[]> {
  const devices = await rig.devices(channel, names)
  const tasks = await Promise.all(devices.map((device) => rig.task(channel, [device])))
  await rig.enqueue(channel, tasks)
  return tasks
}

async function allSent(tasks: readonly string[]): Promise<void> {
  for (const task of tasks) expect(await rig.outcomes(task, 40_000)).toEqual({ sent: 1 })
}

const pausedFor = async (channel: Channel): Promise<string | undefined> => {
  const [now] = await rig.store.channels.byIds([channel.id])
  return now?.pause && sentenceOfPause(now.pause)
}
const requests = () => rig.simulator.journal.counts('fcm').requests

describe('a channel whose credentials are refused', () => {
  it('is paused after few calls, says why, deletes no token, and works again when a probe succeeds', async () => {
    const channel = await rig.channel('fcm')
    rig.simulator.faults.set({ vendor: 'fcm', kind: '401' })
    await rig.worker({}, { probeMs: 1500 })
    const tasks = await pushes(channel, tokens('ok-refused', 200))
    await until('it is paused', async () => (await pausedFor(channel)) !== undefined)
    expect(await pausedFor(channel)).toMatch(/^credentials refused: /)
    // Each refused push may be tried with a fresh access token once.
    expect(requests()).toBeLessThanOrEqual(20)
    rig.simulator.faults.clear()
    await allSent(tasks)
    expect(await pausedFor(channel)).toBeUndefined()
    const page = await rig.store.devices.page({ channelId: channel.id, after: '0', upToId: '999999', limit: 1000 })
    expect(page.deviceIds).toHaveLength(200)
  })
})

describe('a channel whose stored credential does not open', () => {
  it('is paused with a sentence, logged, and works again when it opens', async () => {
    const channel = await rig.channel('fcm')
    const { store } = rig
    let wrongKey = true
    const credential = (id: string) =>
      wrongKey
        ? Promise.reject(new SealError(`the credential of channel ${id} does not open`))
        : store.channels.credential(id)
    await rig.worker({ store: { ...store, channels: { ...store.channels, credential } } }, { probeMs: 1500 })
    const tasks = await pushes(channel, tokens('ok-sealed', 20))
    await until('it is paused', async () => (await pausedFor(channel)) !== undefined)
    expect(await pausedFor(channel)).toMatch(/^credentials refused: the stored credential does not open/)
    const errors = rig.logged.filter(({ level, channelId }) => level === 'error' && channelId === channel.id)
    expect(errors.map(({ text }) => text)).toEqual(['channel not opened', 'channel paused'])
    expect(errors[0]?.['error']).toBe(`SealError: the credential of channel ${channel.id} does not open`)
    expect(requests()).toBe(0)
    wrongKey = false
    await allSent(tasks)
    expect(await pausedFor(channel)).toBeUndefined()
  })
})

describe('a channel paused by the operator', () => {
  it('gets no calls, and goes on when it is resumed', async () => {
    const channel = await rig.channel('fcm')
    await rig.store.channels.update(channel.id, { pause: { by: 'app', reason: 'maintenance' } })
    await rig.worker()
    const tasks = await pushes(channel, tokens('ok-paused', 20))
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(requests()).toBe(0)
    await rig.store.channels.update(channel.id, { pause: null })
    const hints = openChannelHints(rig.redis.url)
    await until('the hint is out', () =>
      hints.publish(channel.id).then(
        () => true,
        () => false,
      ),
    )
    hints.close()
    await allSent(tasks)
  })

  it('keeps its chunks in the store, none of them in Redis, and loses none', async () => {
    const channel = await rig.channel('fcm')
    await rig.store.channels.update(channel.id, { pause: { by: 'app', reason: 'maintenance' } })
    await rig.worker()
    const tasks = await pushes(channel, tokens('ok-parked', 300))
    const bulk = await rig.task(channel, await rig.devices(channel, tokens('ok-parked-bulk', 50)), { lane: 'bulk' })
    await rig.enqueue(channel, [bulk], 'bulk')
    const refs = [...tasks, bulk].map((taskId) => ({ taskId, seq: 0 }))
    await until('all wait', async () =>
      (await rig.store.chunks.byRefs(refs)).every((chunk) => chunk?.state === 'waiting'),
    )
    const jobs = [0, 1].flatMap((gen) => refs.map((ref) => ({ ...ref, gen, platform: 'fcm' as const })))
    await until('no job is left', async () => !(await rig.jobs.present(jobs)).includes(true))
    expect(requests()).toBe(0)
    await rig.store.channels.update(channel.id, { pause: null })
    await allSent(tasks)
    expect(await rig.outcomes(bulk)).toEqual({ sent: 50 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 350, duplicates: 0 })
  })

  it('does not hold up another channel of the platform', async () => {
    const paused = await rig.channel('fcm')
    const runs = await rig.channel('fcm')
    await rig.store.channels.update(paused.id, { pause: { by: 'app', reason: 'maintenance' } })
    await rig.worker()
    await pushes(paused, tokens('ok-held', 500))
    const began = performance.now()
    await allSent(await pushes(runs, tokens('ok-free', 20)))
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(rig.simulator.journal.counts('fcm').accepted).toBe(20)
  })
})

describe('a limited channel', () => {
  it('never gets more than its rate, and all of a backlog', async () => {
    const channel = await rig.channel('fcm', { limits: { rate: 100, unit: 'token', perMs: 1000 } })
    await rig.worker()
    const devices = await rig.devices(channel, tokens('ok-limit-bulk', 200))
    const bulk = await rig.task(channel, devices, { lane: 'bulk' })
    await rig.enqueue(channel, [bulk], 'bulk')
    const singles = await pushes(channel, tokens('ok-limit', 50))
    await allSent(singles)
    expect(await rig.outcomes(bulk)).toEqual({ sent: 200 })
    const query = { vendor: 'fcm', limit: 100, windowMs: 1000 } as const
    expect(rig.simulator.journal.windows(query)).toMatchObject({ windowsOver: 0 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 250, duplicates: 0 })
  })
})

describe('an answer that never came', () => {
  it('is final where the task says drop, and repeated where it says resend', async () => {
    const channel = await rig.channel('fcm')
    await rig.worker()
    const [dropped = '', resent = ''] = await rig.devices(channel, ['reset-1-drop', 'reset-1-resend'])
    const drop = await rig.task(channel, [dropped], { onUnknown: 'drop' })
    const resend = await rig.task(channel, [resent])
    await rig.enqueue(channel, [drop, resend])
    expect(await rig.outcomes(drop)).toEqual({ unknown: 1 })
    expect(await rig.outcomes(resend)).toEqual({ sent: 1 })
    expect(rig.simulator.journal.arrivalsOf('fcm', 'reset-1-drop')).toHaveLength(1)
    expect(rig.simulator.journal.arrivalsOf('fcm', 'reset-1-resend')).toHaveLength(2)
  })
})

describe('a store that is away', () => {
  it('stops the sends; what was in flight is recorded when it is back', async () => {
    const channel = await rig.channel('fcm')
    let away = false
    const guard = <A extends unknown[], R>(work: (...args: A) => Promise<R>) => {
      return (...args: A) => (away ? Promise.reject<R>(new StoreDownError('away')) : work(...args))
    }
    const { store } = rig
    const chunks = { ...store.chunks, claim: guard(store.chunks.claim), write: guard(store.chunks.write) }
    const devices = { ...store.devices, tokens: guard(store.devices.tokens) }
    await rig.worker({ store: { ...store, chunks, devices } }, { leaseMs: 10_000, lockMs: 10_000 })
    rig.simulator.settings.latencyMs = 50
    const tasks = await pushes(channel, tokens('ok-store', 600))
    await until('some are sent', () => requests() > 50)
    away = true
    await new Promise((resolve) => setTimeout(resolve, 500))
    const sent = requests()
    await new Promise((resolve) => setTimeout(resolve, 1000))
    expect(requests()).toBe(sent)
    away = false
    await allSent(tasks)
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 600, duplicates: 0 })
    rig.simulator.settings.latencyMs = 0
  })
})
