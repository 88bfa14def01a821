import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until, withoutHeartbeat } from './rig.ts'

jest.setTimeout(60_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

/** As many accepted single pushes as there are tokens. */
async function pushes(channel: Parameters<Rig['task']>[0], names: readonly string[]): Promise<string[]> {
  const devices = await rig.devices(channel, names)
  return Promise.all(devices.map((device) => rig.task(channel, [device])))
}

const sentCount = () => rig.simulator.journal.counts('fcm').accepted

describe('what Redis loses', () => {
  it('is brought back by the sweeper', async () => {
    const channel = await rig.channel('fcm')
    const tasks = await pushes(channel, tokens('ok-flushed', 100))
    await rig.enqueue(channel, tasks)
    await rig.redis.flush()
    const worker = await rig.worker()
    for (const task of tasks) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 100, duplicates: 0 })
    expect(worker.counters.rescued).toEqual({ planned: 100 })
  })

  it('is lost without the sweeper', async () => {
    const channel = await rig.channel('fcm')
    const lost = await pushes(channel, ['ok-lost'])
    await rig.enqueue(channel, lost)
    await rig.redis.flush()
    const kept = await pushes(channel, ['ok-kept'])
    await rig.worker({ sweeper: false })
    await rig.enqueue(channel, kept)
    await rig.outcomes(kept[0] ?? '')
    await new Promise((resolve) => setTimeout(resolve, rig.config.graceMs + 5 * rig.config.sweepMs))
    expect(sentCount()).toBe(1)
    expect(await rig.counts(lost[0] ?? '')).toEqual({ unsent: 1 })
    await rig.cancel(lost[0] ?? '')
  })

  it('leaves chunks alone whose jobs still stand', async () => {
    const channel = await rig.channel('fcm')
    const [task = ''] = await pushes(channel, ['ok-stands'])
    await rig.jobs.enqueue([
      { taskId: task, seq: 0, gen: 0, channelId: channel.id, platform: 'fcm', lane: 'single', delayMs: 1500 },
    ])
    const worker = await rig.worker()
    expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    expect(worker.counters.rescued).toEqual({})
  })
})

describe('a push that never ends', () => {
  it('is started five times, then given up with an alert, and others go on', async () => {
    const channel = await rig.channel('fcm')
    const [poison = ''] = await pushes(channel, ['ok-poison'])
    let begun = 0
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    // The hook does not say whose send it is: the poison is alone until it is dead.
    let alone = true
    const hang = async (point: string): Promise<void> => {
      if (point !== 'before-send' || !alone) return
      begun++
      await released
    }
    const config = { leaseMs: 200, exitMs: 500, drainMs: 200 }
    await rig.worker({ at: hang, store: withoutHeartbeat(rig.store) }, config)
    await rig.enqueue(channel, [poison])
    expect(await rig.outcomes(poison)).toEqual({ unknown: 1 })
    expect(begun).toBe(5)
    expect(rig.logged.some((line) => line['alert'] === 'poison')).toBe(true)
    alone = false
    const others = await pushes(channel, tokens('ok-beside', 20))
    await rig.enqueue(channel, others)
    for (const task of others) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    release()
  })
})

describe('a worker that is stopped', () => {
  it('loses nothing and sends nothing twice', async () => {
    const channel = await rig.channel('fcm')
    rig.simulator.settings.latencyMs = 20
    const singles = await pushes(channel, tokens('ok-stopped', 300))
    const devices = await rig.devices(channel, tokens('ok-stopped-bulk', 1000))
    const bulk = await rig.task(channel, devices, { lane: 'bulk' })
    const first = await rig.worker()
    await Promise.all([rig.enqueue(channel, singles), rig.enqueue(channel, [bulk], 'bulk')])
    await until('some are sent', () => sentCount() > 100)
    expect(await first.destroy()).toBe(true)
    expect(sentCount()).toBeLessThan(1300)
    await rig.worker()
    for (const task of singles) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    expect(await rig.outcomes(bulk)).toEqual({ sent: 1000 })
    expect(rig.simulator.journal.counts('fcm')).toMatchObject({ accepted: 1300, duplicates: 0 })
    rig.simulator.settings.latencyMs = 0
  })

  it('exits 0 on SIGTERM, as a process', async () => {
    const { storeUrl, redisUrl, vendorUrl = '', vendorCa = '', masterKey } = rig.config
    const variables = { STORE_URL: storeUrl, REDIS_URL: redisUrl, VENDOR_URL: vendorUrl, VENDOR_CA: vendorCa }
    const env = { ...process.env, ...variables, FANFARE_MASTER_KEY: masterKey.toString('base64'), NODE_OPTIONS: '' }
    const main = new URL('../src/main.ts', import.meta.url).pathname
    const args = ['--conditions=@fanfare/source', '--import', 'tsx', main]
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = once(child, 'exit')
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    expect(JSON.parse(line.toString())).toEqual({ ready: true })
    const channel = await rig.channel('fcm')
    const [task = ''] = await pushes(channel, ['ok-process'])
    await rig.enqueue(channel, [task])
    expect(await rig.outcomes(task)).toEqual({ sent: 1 })
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
  })
})

describe('Redis away', () => {
  it('is survived: pushes accepted meanwhile are sent when it is back', async () => {
    const channel = await rig.channel('fcm')
    await rig.worker()
    const [before = ''] = await pushes(channel, ['ok-before'])
    await rig.enqueue(channel, [before])
    await rig.outcomes(before)
    await rig.redis.kill('SIGKILL')
    const [meanwhile = ''] = await pushes(channel, ['ok-meanwhile'])
    const asked = performance.now()
    await expect(rig.enqueue(channel, [meanwhile])).rejects.toThrow()
    expect(performance.now() - asked).toBeLessThan(2500)
    await rig.redis.restart()
    expect(await rig.outcomes(meanwhile)).toEqual({ sent: 1 })
  })
})
