import {
  type Figures,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  sleep,
  storeOptions,
  until,
} from '@fanfare/testkit'
import { startDirect } from './direct.ts'
import { startFleet } from './fleet.ts'
import { arrivalsIn, inForceAfterMs, type Span, usedRatio, windowsOver } from './measure.ts'
import { OTHER, OWN, PLATFORMS, type Platform, RATES, type Subject } from './subject.ts'

/**
 * Two vendor accounts with a backlog and several worker processes: how much of the limit is used, whether any window at
 * the vendor holds more, how soon a changed rate is in force, how long single pushes wait meanwhile.
 */
export const limiter: Scenario = {
  options: {
    ...STORE_OPTIONS,
    workers: { type: 'string', default: '2' },
    seconds: { type: 'string', default: '20' },
    /** Limiter and pushers alone, without API, queue and ledger. */
    direct: { type: 'boolean', default: false },
  },
  run,
}

const WARM_UP_MS = 3000
const AFTER_CHANGE_MS = 4000
/** The one up, the other down. */
const CHANGED: Readonly<Record<Platform, number>> = { fcm: 1000, huawei: 3000 }
const clock = (): number => performance.timeOrigin + performance.now()

async function run(options: Options): Promise<Figures> {
  const workers = numberOf(options, 'workers')
  const seconds = numberOf(options, 'seconds')
  const direct = options['direct'] === true
  const fleetOrder = { ...storeOptions(options), workers, seconds, log: progress }
  const subject = await (direct ? startDirect(workers) : startFleet(fleetOrder))
  try {
    await warm(subject)
    await subject.simulator.resetJournal()
    const steady = await spanOf(seconds * 1000)
    const figures = await steadyFigures(subject, steady)
    progress(`used ${JSON.stringify(figures.usedRatios)}, over ${figures.windowsOver}`)
    const changes = await rateChanges(subject)
    const rateChangeMs = Math.max(...Object.values(changes))
    return {
      ...figures,
      rateChangeMs,
      rateChanges: changes,
      workers,
      seconds,
      ...(direct ? { direct } : storeOptions(options)),
    }
  } finally {
    await subject.close()
  }
}

/** Until both accounts are under way; libraries are loaded and connections opened by then. */
async function warm({ simulator }: Subject): Promise<void> {
  for (const platform of PLATFORMS) {
    const busy = async () => ((await simulator.counts(platform)).arrivals > RATES[platform] ? true : undefined)
    await until(`${platform} is under way`, busy, { withinMs: 60_000, everyMs: 200 })
  }
  await sleep(WARM_UP_MS)
}

async function spanOf(ms: number): Promise<Span> {
  const fromMs = clock()
  await sleep(ms)
  return { fromMs, toMs: clock() }
}

async function steadyFigures({ simulator }: Subject, span: Span) {
  const usedRatios: Partial<Record<Platform, number>> = {}
  const mostInWindow: Partial<Record<Platform, number>> = {}
  let over = 0
  for (const platform of PLATFORMS) {
    const arrivals = await arrivalsIn(simulator, platform, span)
    const counted = windowsOver(arrivals, RATES[platform])
    usedRatios[platform] = round(usedRatio(arrivals, RATES[platform], span), 4)
    mostInWindow[platform] = counted.most
    over += counted.windowsOver
  }
  const p99 = (tag: string) => Promise.all(PLATFORMS.map((vendor) => simulator.latency({ vendor, tag })))
  const worst = async (tag: string) => round(Math.max(...(await p99(tag)).map((summary) => summary.p99)), 1)
  return {
    usedRatio: Math.min(...Object.values(usedRatios)),
    windowsOver: over,
    ownAppMsP99: await worst(OWN),
    otherAppMsP99: await worst(OTHER),
    usedRatios,
    mostInWindow,
  }
}

/** Milliseconds until the changed rates were in force. */
async function rateChanges(subject: Subject): Promise<Record<Platform, number>> {
  const fromMs = clock()
  for (const platform of PLATFORMS) await subject.setRate(platform, CHANGED[platform])
  await sleep(AFTER_CHANGE_MS)
  const span = { fromMs, toMs: clock() }
  const inForce = async (platform: Platform) =>
    round(inForceAfterMs(await arrivalsIn(subject.simulator, platform, span), CHANGED[platform], span), 0)
  return { fcm: await inForce('fcm'), huawei: await inForce('huawei') }
}
