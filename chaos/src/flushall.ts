import { type Figures, numberOf, type Options, progress, type Scenario, sleep } from '@fanfare/testkit'
import { withoutSweeper } from './tools/entries.ts'
import { Pusher } from './tools/pusher.ts'
import { COMMON_OPTIONS, setUp } from './tools/setup.ts'
import { verdict } from './tools/verdict.ts'

/** Redis loses everything, twice, while single pushes come in (docs/reliability.md T13). */
export const flushall: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    flushes: { type: 'string', default: '2' },
    workers: { type: 'string', default: '2' },
    concurrency: { type: 'string', default: '50' },
  },
  run,
}

/** More than the slowed vendor takes, so that a backlog builds up. */
const LOAD_PER_SEC = 1000

async function run(options: Options): Promise<Figures> {
  const flushes = numberOf(options, 'flushes')
  const concurrency = numberOf(options, 'concurrency')
  const setup = await setUp(options, {
    workers: numberOf(options, 'workers'),
    workerConcurrency: concurrency,
    ...withoutSweeper(options),
  })
  const { fleet, app, count, random } = setup
  try {
    // The vendor is slow meanwhile, so that there is a backlog in Redis to be lost.
    await setup.simulator.settings({ latencyMs: 300 })
    const pusher = new Pusher({ app, count, perSec: LOAD_PER_SEC })
    for (let index = 0; index < flushes; index++) {
      await sleep(((count / LOAD_PER_SEC) * 1000 * (0.5 + random() * 0.5)) / flushes)
      await fleet.redis.set.flush()
      progress(`FLUSHALL ${index + 1} of ${flushes}`)
    }
    await pusher.done
    await setup.simulator.settings({ latencyMs: numberOf(options, 'vendor-ms') })
    // What was being sent when the locks vanished may be taken up again by another worker.
    const duplicatesAllowed = flushes * fleet.workers.length * (concurrency + 100)
    return await verdict(setup, options, pusher.accepted, { duplicatesAllowed, flushes, workers: fleet.workers.length })
  } finally {
    await fleet.close()
  }
}
