import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens, until } from './rig.ts'

jest.setTimeout(120_000)

let rig: Rig
beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(() => rig.clear())
afterAll(() => rig.stop())

const RETRY_AFTER_SECONDS = 2
const PUSHES = 80
/** What has left by the time the first refusal was heard cannot be called back; on a busy machine that takes a while. */
const UNDER_WAY_MS = 1500
/** Without one that tries first a fourth of them come at once. */
const FEW = 10

const arrivals = () => rig.simulator.journal.arrivals('fcm').timesMs

describe.each([
  ['a limit', 500],
  ['no limit', 0],
])('an account with %s whose vendor says Retry-After', (_, rate) => {
  it('is left alone for so long by all workers, then asked once at a time until it takes more', async () => {
    const channel = await rig.channel('fcm', { limits: { rate, unit: 'token', perMs: 1000 } })
    const workers = rate > 0 ? 2 : 1
    for (let worker = 0; worker < workers; worker++) await rig.worker()
    const devices = await rig.devices(channel, tokens('ok-wait', PUSHES + 1))
    const pushTo = (ids: readonly string[]) => Promise.all(ids.map((id) => rig.task(channel, [id])))
    // The channel has proved itself, so that nothing else keeps the others from going out at once.
    const proof = await pushTo(devices.slice(0, 1))
    await rig.enqueue(channel, proof)
    await rig.outcomes(proof[0] as string)
    rig.simulator.faults.set({ vendor: 'fcm', kind: '429', retryAfterSeconds: RETRY_AFTER_SECONDS })
    const tasks = await pushTo(devices.slice(1))
    await rig.enqueue(channel, tasks)
    await until('three waves came', () => wavesOf(arrivals().slice(1)).length === 3, 30_000)
    const [first = [], ...later] = wavesOf(arrivals().slice(1))
    rig.simulator.faults.clear({ vendor: 'fcm' })
    for (const task of tasks) expect(await rig.outcomes(task, 60_000)).toEqual({ sent: 1 })
    expect((first.at(-1) ?? 0) - (first[0] ?? 0)).toBeLessThan(UNDER_WAY_MS)
    // One each, and on a busy machine few more: those that were let go while the answer to the first was on its way.
    for (const wave of later) expect(wave.length).toBeLessThan(FEW)
    expect(rig.simulator.journal.counts('fcm').duplicates).toBe(0)
  })
})

/** Arrivals that are closer to the one before than the vendor asked for. */
function wavesOf(timesMs: readonly number[]): number[][] {
  const waves: number[][] = []
  for (const at of timesMs) {
    const wave = waves.at(-1)
    if (wave && at - (wave.at(-1) ?? 0) < RETRY_AFTER_SECONDS * 1000) wave.push(at)
    else waves.push([at])
  }
  return waves
}
