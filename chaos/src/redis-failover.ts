import {
  type Figures,
  type FleetOptions,
  numberOf,
  type Options,
  oneOf,
  progress,
  type RedisSet,
  type Scenario,
  sleep,
  until,
} from '@fanfare/testkit'
import { entryScript, withoutSweeper } from './tools/entries.ts'
import { Pusher } from './tools/pusher.ts'
import { CHANNELS, COMMON_OPTIONS, type Setup, setUp } from './tools/setup.ts'
import { verdict } from './tools/verdict.ts'

/**
 * Single pushes while masters of Redis are killed, their replicas promoted though they lag, and the old ones brought back:
 * first the master that holds the limiter, then that of a queue (docs/reliability.md T14).
 */
export const redisFailover: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    count: { type: 'string', default: '4500' },
    redis: { type: 'string', default: 'sentinel' },
    failovers: { type: 'string', default: '2' },
    'lag-ms': { type: 'string', default: '500' },
    workers: { type: 'string', default: '2' },
    concurrency: { type: 'string', default: '50' },
    'without-promotions': { type: 'boolean', default: false },
  },
  run,
}

/** Longer than a failover takes, so that what was sent before it still counts when a replica answers. */
const LIMIT = { rate: 220, perMs: 8000 }
/** More than the vendors take, so that each window is full. */
const LOAD_PER_SEC = 60
const VICTIMS = ['{fanfare:limiter}', '{fanfare:fcm}'] as const
/** A window and the longest answer time, after as long as a promotion may take on a busy machine. */
const SENDS_AGAIN_MS = 120_000

async function run(options: Options): Promise<Figures> {
  const concurrency = numberOf(options, 'concurrency')
  const failovers = numberOf(options, 'failovers')
  const setup = await setUp(options, {
    redis: oneOf(options, 'redis', ['sentinel', 'cluster']),
    workers: numberOf(options, 'workers'),
    workerConcurrency: concurrency,
    ...workersOf(options),
  })
  const { fleet, app, count } = setup
  try {
    await limitChannels(setup)
    const pusher = new Pusher({ app, count, perSec: LOAD_PER_SEC })
    for (let index = 0; index < failovers; index++) {
      await failOver(setup, VICTIMS[index % VICTIMS.length] ?? '', numberOf(options, 'lag-ms'))
      progress(`failover ${index + 1} of ${failovers}`)
    }
    await pusher.done
    const duplicatesAllowed = failovers * fleet.workers.length * (concurrency + 100)
    const extra = { duplicatesAllowed, failovers, redis: fleet.redis.set.form, workers: fleet.workers.length }
    const figures = await verdict(setup, options, pusher.accepted, extra)
    return judged({ ...figures, windowsOver: await windowsOver(setup) }, options)
  } finally {
    await fleet.close()
  }
}

const workersOf = (options: Options): Pick<FleetOptions, 'workerScript'> =>
  options['without-promotions'] === true ? { workerScript: entryScript('worker-trusting') } : withoutSweeper(options)

function judged(figures: Figures & { windowsOver: number }, options: Options): Figures {
  if (options['without-promotions'] === true) return { ...figures, held: figures.windowsOver > 0 }
  return { ...figures, held: figures.held === true && figures.windowsOver === 0 }
}

async function limitChannels({ app }: Setup): Promise<void> {
  for (const platform of CHANNELS) await app.call('PATCH', `notifiers/chaos-${platform}`, { limits: LIMIT })
}

/** Under load: it begins when pushes are being sent, and ends when they are again and every server is back. */
async function failOver({ fleet, simulator }: Setup, key: string, lagMs: number): Promise<void> {
  const { set } = fleet.redis
  const sent = async () => (await simulator.counts()).accepted
  await sendsMore(set, sent, LIMIT.rate / 2)
  await set.settled()
  const old = await set.failOver(key, lagMs)
  progress(`the master of ${key} was killed, ${lagMs} ms ahead of its replicas; another one has its place`)
  await sleep(lagMs)
  await old.restart()
  await set.settled()
  progress('it is back')
}

async function sendsMore(set: RedisSet, sent: () => Promise<number>, count: number): Promise<void> {
  const before = await sent()
  const ask = async () => ((await sent()) >= before + count ? true : undefined)
  await until(`${count} more are sent over ${set.form}`, ask, { withinMs: SENDS_AGAIN_MS, everyMs: 100 })
}

async function windowsOver({ simulator }: Setup): Promise<number> {
  const windows = await Promise.all(
    CHANNELS.map((vendor) => simulator.windows({ vendor, limit: LIMIT.rate, windowMs: LIMIT.perMs, unit: 'request' })),
  )
  return windows.reduce((sum, each) => sum + each.windowsOver, 0)
}
