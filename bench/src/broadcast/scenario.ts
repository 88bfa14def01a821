import {
  type Figures,
  median,
  numberOf,
  type Options,
  oneOf,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  storeFigures,
} from '@fanfare/testkit'
import { BroadcastBench, type BroadcastRound } from './ours.ts'
import type { Platform } from './prepared.ts'
import { BroadcastYardstick } from './yardstick.ts'

/** A push to everyone through `POST push/task`, from the request to the last arrival, beside the barest sender. */
export const broadcast: Scenario = {
  options: {
    ...STORE_OPTIONS,
    platform: { type: 'string', default: 'xiaomi' },
    devices: { type: 'string', default: '200000' },
    workers: { type: 'string' },
    rounds: { type: 'string' },
    direct: { type: 'boolean', default: false },
  },
  run,
}

/** One per core, as the fleet is meant to run; where each push is a request, the figure is that of one process. */
const WORKERS: Readonly<Record<Platform, string>> = { xiaomi: '2', huawei: '2', fcm: '1', apns: '1' }
const FEW_ROUNDS = 3
const MANY_ROUNDS = 7
/** Rounds shorter than this are repeated more often. */
const SHORT_SECONDS = 10

async function run(options: Options): Promise<Figures> {
  const platform = oneOf(options, 'platform', ['xiaomi', 'huawei', 'fcm', 'apns'] as const)
  const devices = numberOf(options, 'devices')
  const bench = await BroadcastBench.start({ workers: WORKERS[platform], ...options }, platform, devices)
  const yardstick = await BroadcastYardstick.start(bench.fleet, platform, devices)
  try {
    const ours = [await bench.round()]
    const rates = [perSec(devices, await yardstick.run())]
    const rounds = options['rounds'] ? numberOf(options, 'rounds') : roundsFor(ours[0]?.seconds ?? 0)
    while (ours.length < rounds + 1) {
      ours.push(await bench.round())
      rates.push(perSec(devices, await yardstick.run()))
      progress(
        `round ${ours.length - 1}: ${round(ours.at(-1)?.devicesPerSec ?? 0, 0)}/s, yardstick ${round(rates.at(-1) ?? 0, 0)}/s`,
      )
    }
    // The first round of each compiled, connected and filled caches.
    return { ...figures(bench, ours.slice(1), rates.slice(1)), ...storeFigures(options), platform, devices, rounds }
  } finally {
    await yardstick.stop()
    await bench.close()
  }
}

const roundsFor = (seconds: number): number => (seconds < SHORT_SECONDS ? MANY_ROUNDS : FEW_ROUNDS)

const perSec = (devices: number, { startedAt, endedAt }: { startedAt: number; endedAt: number }): number =>
  (devices * 1000) / (endedAt - startedAt)

function figures(bench: BroadcastBench, ours: readonly BroadcastRound[], rates: readonly number[]): Figures {
  const sum = (of: (each: BroadcastRound) => number) => ours.reduce((total, each) => total + of(each), 0)
  const devicesPerSec = round(median(ours.map((each) => each.devicesPerSec)), 0)
  const yardstickPerSec = round(median(rates), 0)
  return {
    accepted: sum((each) => each.accepted),
    delivered: sum((each) => each.delivered),
    counted: sum((each) => each.counted),
    lost: sum((each) => each.accepted - each.delivered),
    duplicates: sum((each) => each.duplicates),
    devicesPerSec,
    yardstickPerSec,
    ratio: round(devicesPerSec / yardstickPerSec, 3),
    secondsToDone: round(median(ours.map((each) => each.secondsToDone)), 2),
    cpuSecPer100k: round((sum((each) => each.cpuSec) * 100_000) / sum((each) => each.accepted), 3),
    rssMbPeak: round(Math.max(...ours.map((each) => each.rssMbPeak))),
    redisMbPeak: round(Math.max(...ours.map((each) => each.redisMbPeak))),
    storeMb: round(bench.fleet.storeServer.sizeMb()),
    workers: bench.fleet.workers.length,
  }
}
