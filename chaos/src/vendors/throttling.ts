import { percentile, sleep } from '@fanfare/testkit'
import type { Lab, Tenant, VendorCase } from './lab.ts'

const RETRY_AFTER_SECONDS = 5
const FAULT_MS = 15_000
const PHASE_MS = 10_000
const EVERY_MS = 20
/** Calls that may reach a throttled account in its window of Retry-After: the one that finds out whether it takes more. */
const CALLS_PER_WINDOW = 1
/** The fault was set so long before the first call came, at most: what came later than the fault is no matter. */
const LATE_MS = 3000

/** T51: one account is told to slow down; the other does not notice. */
export const throttling: VendorCase = {
  name: 'T51',
  promise: '429 with Retry-After slows that credential only; Retry-After is obeyed',
  async run(lab) {
    const slow = await lab.tenant('t51-slow', { platform: 'fcm', users: 200 })
    const other = await lab.tenant('t51-other', { platform: 'fcm', users: 2000 })
    await other.counts(await other.push(0, 50))
    await slow.counts(await slow.push(0, 20))
    const before = await paced(lab, other, 'before')
    const fault = { vendor: 'fcm' as const, account: slow.account, kind: '429' as const }
    await lab.simulator.setFaults({ ...fault, retryAfterSeconds: RETRY_AFTER_SECONDS, forMs: FAULT_MS })
    const arrivedBefore = (await slow.arrivals()).requests
    const tasks = await slow.push(20, 120)
    const during = await paced(lab, other, 'during')
    const calls = callsPerWindow((await slow.arrivals()).timesMs.slice(arrivedBefore))
    const counts = await slow.counts(tasks)
    const unaffected = during < before * 1.2 || during < before + 20
    return {
      held: unaffected && calls <= CALLS_PER_WINDOW && counts.ASYNC_SUCCESS === tasks.length,
      otherBeforeMsP99: before,
      otherDuringMsP99: during,
      callsPerWindow: calls,
      sent: counts.ASYNC_SUCCESS,
    }
  },
}

/** Single pushes at an even pace, stamped; answers the 99th percentile of request to arrival. */
async function paced(lab: Lab, tenant: Tenant, tag: string): Promise<number> {
  const open: Promise<unknown>[] = []
  const until = performance.now() + PHASE_MS
  for (let user = 50; performance.now() < until; user++) {
    const content = `sent@${(performance.timeOrigin + performance.now()).toFixed(3)}#${tenant.name}-${tag}`
    const body = { targets: [`u${user % 2000}`], pushMessage: { title: 'lab', content } }
    open.push(tenant.app.call('POST', 'push/single', body))
    await sleep(EVERY_MS)
  }
  await Promise.all(open)
  await sleep(300)
  return (await lab.simulator.latency({ vendor: 'fcm', tag: `${tenant.name}-${tag}` })).p99
}

/**
 * The most calls in one Retry-After after the vendor's first refusal had come back: what was already on its way when
 * it was given cannot be called back.
 */
function callsPerWindow(timesMs: readonly number[]): number {
  const first = timesMs[0] ?? 0
  const later = timesMs.filter((at) => at > first + 500 && at < first + FAULT_MS - LATE_MS)
  const windows = later.map(
    (at) => later.filter((other) => other >= at && other < at + RETRY_AFTER_SECONDS * 1000).length,
  )
  return percentile(windows, 1)
}
