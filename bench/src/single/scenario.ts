import {
  type Figures,
  median,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  storeFigures,
} from '@fanfare/testkit'
import { pushRequests } from './bodies.ts'
import { CONNECTIONS, load } from './load.ts'
import { type OurRound, SingleBench } from './ours.ts'
import { SingleYardstick } from './yardstick.ts'

/** Accepted and delivered single pushes over HTTP, beside the barest API over the same queue (yardstick-api.entry.ts). */
export const single: Scenario = {
  options: {
    ...STORE_OPTIONS,
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '5' },
    workers: { type: 'string', default: '1' },
    platform: { type: 'string', default: 'fcm' },
  },
  run,
}

/** The first rounds compile, connect and fill caches; they count nothing. */
const WARM_UP_REQUESTS = 3072

type Rates = { acceptedPerSec: number; perSec: number }

async function run(options: Options): Promise<Figures> {
  const bench = await SingleBench.start(options)
  const yardstick = await SingleYardstick.start({ redisUrl: bench.fleet.redis.url, logDir: `${bench.fleet.dir}/log` })
  try {
    const rounds = Math.max(3, numberOf(options, 'rounds'))
    const seconds = numberOf(options, 'seconds') / rounds
    const warm = await bench.round(WARM_UP_REQUESTS)
    const warmYardstick = await yardstickRound(yardstick, WARM_UP_REQUESTS)
    const ours: OurRound[] = []
    const theirs: Rates[] = []
    for (let index = 0; index < rounds; index++) {
      // As many as the last round says: the first ones, still cold, must not make all others short.
      ours.push(await bench.round(roundUp((ours.at(-1) ?? warm).perSec * seconds)))
      theirs.push(await yardstickRound(yardstick, roundUp((theirs.at(-1) ?? warmYardstick).perSec * seconds)))
      progress(
        `round ${index + 1}: ${round(ours[index]?.perSec ?? 0)}/s, yardstick ${round(theirs[index]?.perSec ?? 0)}/s`,
      )
    }
    return { ...(await figures(bench, ours, theirs)), ...storeFigures(options), rounds, seconds: seconds * rounds }
  } finally {
    await yardstick.stop()
    await bench.close()
  }
}

const roundUp = (count: number): number => Math.ceil(count / CONNECTIONS) * CONNECTIONS

async function yardstickRound(yardstick: SingleYardstick, count: number): Promise<Rates> {
  const before = yardstick.entered
  const loaded = await load({ url: yardstick.api.url, requests: pushRequests('/push', 'none', count) })
  const lastAt = await yardstick.waitFor(before + loaded.accepted)
  return {
    acceptedPerSec: (loaded.accepted * 1000) / (loaded.endedAt - loaded.startedAt),
    perSec: (loaded.accepted * 1000) / (lastAt - loaded.startedAt),
  }
}

async function figures(bench: SingleBench, ours: readonly OurRound[], theirs: readonly Rates[]): Promise<Figures> {
  const sum = (of: (each: OurRound) => number) => ours.reduce((total, each) => total + of(each), 0)
  const middle = (of: (each: OurRound) => number) => round(median(ours.map(of)))
  const deliveredPerSec = middle((each) => each.perSec)
  const yardstickPerSec = round(median(theirs.map((each) => each.perSec)))
  return {
    accepted: sum((each) => each.accepted),
    delivered: sum((each) => each.delivered),
    lost: sum((each) => each.accepted - each.delivered),
    duplicates: sum((each) => each.duplicates),
    acceptedPerSec: middle((each) => each.acceptedPerSec),
    deliveredPerSec,
    yardstickPerSec,
    ratio: round(deliveredPerSec / yardstickPerSec, 3),
    acceptMsP50: middle((each) => each.acceptMsP50),
    acceptMsP99: middle((each) => each.acceptMsP99),
    deliverMsP50: middle((each) => each.deliverMsP50),
    deliverMsP99: middle((each) => each.deliverMsP99),
    cpuSecPer100k: round((sum((each) => each.cpuSec) * 100_000) / sum((each) => each.accepted), 2),
    rssMbPeak: round(Math.max(...ours.map((each) => each.rssMbPeak))),
    redisMbPeak: round(Math.max(...ours.map((each) => each.redisMbPeak))),
    storeMb: round(bench.fleet.storeServer.sizeMb()),
  }
}
