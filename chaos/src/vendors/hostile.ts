import { apnsToken } from '@fanfare/simulator'
import { readSample } from '@fanfare/testkit'
import type { Lab, VendorCase } from './lab.ts'

const PEERS = 100
const WITHIN_MS = 20_000
const GROWTH_MB = 20
const FUZZ = 1000

/** T55: answers that drip, never end, or unpack to 64 MB. */
export const endlessAnswers: VendorCase = {
  name: 'T55',
  promise: 'a hostile answer costs at most 15 s and 64 KB: 100 such peers grow a worker by less than 20 MB',
  async run(lab) {
    const kinds = ['drip', 'endless', 'gzip'] as const
    const tokenOf = (index: number) => `${kinds[index % kinds.length]}-1-t55-${index}`
    const tenant = await lab.tenant('t55', { platform: 'xiaomi', users: 2 * PEERS, tokenOf })
    await tenant.counts(await tenant.push(PEERS, PEERS + 10, { onUnknown: 'drop' }))
    const before = workersMb(lab)
    const startedAt = performance.now()
    const tasks = await tenant.push(0, PEERS, { onUnknown: 'drop' })
    const peak = peakMb(lab)
    const counts = await tenant.counts(tasks)
    const tookMs = performance.now() - startedAt
    const growthMb = peak() - before
    return {
      held: counts.ERROR === PEERS && tookMs < WITHIN_MS && growthMb < GROWTH_MB,
      unknown: counts.ERROR,
      seconds: Number((tookMs / 1000).toFixed(1)),
      growthMb: Math.round(growthMb),
    }
  },
}

/** T60: status 200 with rubbish, a thousand times. */
export const rubbish: VendorCase = {
  name: 'T60',
  promise: '1,000 answers of nonsense: no crash, every outcome unknown, none counted as sent',
  async run(lab) {
    const tenant = await lab.tenant('t60', { platform: 'fcm', users: FUZZ, tokenOf: (index) => `rubbish-${index}` })
    const pids = workerPids(lab)
    const counts = await tenant.counts(await tenant.push(0, FUZZ, { onUnknown: 'drop' }))
    const crashed = workerPids(lab).join() !== pids.join() || !lab.fleet.workers.every((worker) => worker.running)
    return { held: counts.ERROR === FUZZ && !crashed, unknown: counts.ERROR, crashed }
  },
}

/** What a vendor may call its reason: names of prototypes, half characters, NUL, operators of a store, 64 KB. */
const REASONS = ['constructor', '__proto__', 'toString', '\ud800lone', 'nul\0', '$where.a.b', 'x'.repeat(64_000)]
const PER_REASON = 10

/** T60 as well: answers that are valid, and whose reasons are not. The ledger is shared with whoever pushes beside. */
export const oddReasons: VendorCase = {
  name: 'T60-reasons',
  promise: 'no reason of a vendor repeats a push: neither of its own app nor of another beside it',
  async run(lab) {
    const users = REASONS.length * PER_REASON
    const hostile = await lab.tenant('odd', { platform: 'apns', users, tokenOf: (index) => apnsToken('odd', index) })
    const beside = await lab.tenant('beside', { platform: 'xiaomi', users: 10 * users })
    const [failed, sent] = [[] as string[], [] as string[]]
    for (const [index, code] of REASONS.entries()) {
      await lab.simulator.setFaults({ vendor: 'apns', kind: 'code', code })
      const from = index * PER_REASON
      const pushes = [hostile.push(from, from + PER_REASON), beside.push(10 * from, 10 * (from + PER_REASON))] as const
      failed.push(...(await pushes[0]))
      sent.push(...(await pushes[1]))
      await hostile.counts(failed)
    }
    await lab.simulator.clearFaults({ vendor: 'apns' })
    const [theirs, mine] = [await hostile.counts(failed), await beside.counts(sent)]
    const arrivals = (await lab.simulator.counts('apns')).arrivals
    const { unique, duplicates } = await beside.delivered()
    const all = theirs.FAIL === users && arrivals === users && mine.ASYNC_SUCCESS === 10 * users
    return {
      held: all && unique === 10 * users && duplicates === 0,
      refused: theirs.FAIL,
      arrivals,
      unique,
      duplicates,
    }
  },
}

const workerPids = (lab: Lab): number[] => lab.fleet.workers.map((worker) => worker.pid)
const workersMb = (lab: Lab): number => Math.max(...workerPids(lab).map((pid) => readSample(pid)?.rssMb ?? 0))

/** Watches the workers' memory until asked. */
function peakMb(lab: Lab): () => number {
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, workersMb(lab))
  }, 100)
  return () => {
    clearInterval(timer)
    return peak
  }
}
