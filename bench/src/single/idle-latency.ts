import {
  type Figures,
  HttpClient,
  numberOf,
  type Options,
  percentile,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  sleep,
  storeFigures,
} from '@fanfare/testkit'
import { Probe } from '../tools/probe.ts'
import { SingleBench } from './ours.ts'
import { SingleYardstick } from './yardstick.ts'

/** How long a single push takes from request to vendor while nothing else happens. */
export const idleLatency: Scenario = {
  options: {
    ...STORE_OPTIONS,
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string', default: '1' },
    platform: { type: 'string', default: 'fcm' },
  },
  run,
}

/** 50 pushes a second: far from any queueing. */
const EVERY_MS = 20
const WARM_UP_MS = 2000
/** What is still on its way from the warm-up must not be counted. */
const SETTLE_MS = 1000

async function run(options: Options): Promise<Figures> {
  const bench = await SingleBench.start(options)
  const yardstick = await SingleYardstick.start({ redisUrl: bench.fleet.redis.url, logDir: `${bench.fleet.dir}/log` })
  try {
    const forMs = numberOf(options, 'seconds') * 1000
    const rounds = Math.max(3, numberOf(options, 'rounds'))
    await ourRound(bench, WARM_UP_MS)
    await yardstickRound(yardstick, WARM_UP_MS)
    await sleep(SETTLE_MS)
    await bench.simulator.resetJournal()
    const theirs: number[] = []
    let accepted = 0
    for (let index = 0; index < rounds; index++) {
      accepted += await ourRound(bench, forMs)
      theirs.push(...(await yardstickRound(yardstick, forMs)))
      progress(`round ${index + 1} of ${rounds}`)
    }
    return { ...(await figures(bench, accepted, theirs)), ...storeFigures(options) }
  } finally {
    await yardstick.stop()
    await bench.close()
  }
}

/** Answers how many were accepted; the simulator keeps their times. */
async function ourRound(bench: SingleBench, forMs: number): Promise<number> {
  const probe = new Probe(bench.app, { users: 10_000, everyMs: EVERY_MS })
  await sleep(forMs)
  return probe.stop()
}

async function yardstickRound(yardstick: SingleYardstick, forMs: number): Promise<number[]> {
  const http = new HttpClient()
  const before = yardstick.entered
  const open: Promise<unknown>[] = []
  const body = { timed: true, targets: ['u1'], pushMessage: { title: 'Fanfare', content: 'one push' } }
  const timer = setInterval(() => {
    open.push(http.ok({ method: 'POST', url: yardstick.api.url, path: '/push', body }))
  }, EVERY_MS)
  await sleep(forMs)
  clearInterval(timer)
  await Promise.all(open)
  await yardstick.waitFor(before + open.length)
  http.close()
  return yardstick.takeLatencies()
}

async function figures(bench: SingleBench, accepted: number, theirs: readonly number[]): Promise<Figures> {
  const counts = await bench.arrived(accepted)
  const latency = await bench.simulator.latency({ vendor: bench.platform })
  return {
    accepted,
    delivered: counts.unique,
    lost: accepted - counts.unique,
    duplicates: counts.duplicates,
    deliverMsP50: round(latency.p50, 2),
    deliverMsP99: round(latency.p99, 2),
    yardstickMsP50: round(percentile(theirs, 0.5), 2),
    yardstickMsP99: round(percentile(theirs, 0.99), 2),
  }
}
