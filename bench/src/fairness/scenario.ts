import { simulatorClient } from '@fanfare/simulator'
import {
  type Figures,
  Fleet,
  type FleetApp,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  sleep,
  storeFigures,
  storeOptions,
} from '@fanfare/testkit'
import { Probe } from '../tools/probe.ts'
import { broadcastTo, type Tenant, tenant } from './tenants.ts'

/** Single pushes of one app while another broadcasts, while its own broadcast runs, and beside a slow vendor. */
export const fairness: Scenario = {
  options: {
    ...STORE_OPTIONS,
    devices: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '10' },
    /** One single push in so many milliseconds, over all apps; more for a store that cannot take 100 a second. */
    everyMs: { type: 'string', default: '10' },
    workers: { type: 'string', default: '1' },
  },
  run,
}

/** What the promise allows: this, or three times the idle figure where that is more. */
const LIMIT_MS = 300
const SLOW_VENDOR_MS = 5000
/** Chunks enough to fill every slot of a worker on the slow platform. */
const SLOW_DEVICES = 20_000

async function run(options: Options): Promise<Figures> {
  const fleet = await Fleet.start({ ...storeOptions(options), workers: numberOf(options, 'workers'), log: progress })
  try {
    const simulator = simulatorClient(fleet.controlUrl)
    await simulator.setMode({ bodies: false })
    const big = await tenant(fleet, 'big', { xiaomi: numberOf(options, 'devices'), fcm: SLOW_DEVICES })
    const small = await tenant(fleet, 'small', { xiaomi: 5000, fcm: 5000 })
    const forMs = numberOf(options, 'seconds') * 1000
    const everyMs = numberOf(options, 'everyMs')
    const p99 = async (tag: string) => round((await simulator.latency({ vendor: 'xiaomi', tag })).p99, 1)

    await measured({ phase: 'warm-up', of: [small, big], everyMs }, () => sleep(3000))
    await measured({ phase: 'idle', of: [small], everyMs }, () => sleep(forMs))
    progress(`idle p99 ${await p99('small-idle')} ms`)
    const during = { phase: 'during', of: [small, big], everyMs }
    const broadcasts = await measured(during, () => broadcastFor(big.apps.xiaomi, forMs))
    progress(`${broadcasts} broadcasts, p99 ${await p99('small-during')} ms, own ${await p99('big-during')} ms`)
    await simulator.setFaults({ vendor: 'fcm', kind: 'delay', delayMs: SLOW_VENDOR_MS })
    await measured({ phase: 'slow', of: [small], everyMs }, () => broadcastBesides(big.apps.fcm, forMs))
    return {
      ...judged({
        idleMsP99: await p99('small-idle'),
        duringMsP99: await p99('small-during'),
        otherAppMsP99: await p99('small-during'),
        ownAppMsP99: await p99('big-during'),
        otherPlatformMsP99: await p99('small-slow'),
      }),
      broadcasts,
      workers: fleet.workers.length,
      ...storeFigures(options),
    }
  } finally {
    await fleet.close()
  }
}

type P99s = Record<'idleMsP99' | 'duringMsP99' | 'otherAppMsP99' | 'ownAppMsP99' | 'otherPlatformMsP99', number>

/** A bench measures and does not judge, but says whether the promise would hold. */
function judged(p99s: P99s): P99s & { withinPromise: boolean } {
  const limitMs = Math.max(LIMIT_MS, 3 * p99s.idleMsP99)
  const withinPromise = Math.max(p99s.duringMsP99, p99s.ownAppMsP99, p99s.otherPlatformMsP99) < limitMs
  return { ...p99s, withinPromise }
}

type Singles = { phase: string; of: readonly Tenant[]; everyMs: number }

/** Single pushes of the tenants, tagged `<tenant>-<phase>`, for as long as `during` takes. */
async function measured<T>({ phase, of, everyMs }: Singles, during: () => Promise<T>): Promise<T> {
  const probes = of.map(
    ({ apps, name, singles }) =>
      new Probe(apps.xiaomi, { ...singles, everyMs: everyMs * of.length, tag: `${name}-${phase}` }),
  )
  try {
    return await during()
  } finally {
    await Promise.all(probes.map((probe) => probe.stop()))
    await sleep(500)
  }
}

/** Broadcasts to everyone again and again until `forMs` have passed; answers how often. */
async function broadcastFor(app: FleetApp, forMs: number): Promise<number> {
  const startedAt = performance.now()
  let count = 0
  do {
    await app.taskDone(await broadcastTo(app), { withinMs: 600_000 })
    count++
  } while (performance.now() - startedAt < forMs)
  return count
}

/** A broadcast over the slow vendor, cancelled when the time is over. */
async function broadcastBesides(app: FleetApp, forMs: number): Promise<void> {
  const taskId = await broadcastTo(app)
  await sleep(forMs)
  await app.call('POST', `push/task/${taskId}/cancel`)
}
