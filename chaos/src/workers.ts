import { type Figures, numberOf, type Options, type Scenario } from '@fanfare/testkit'
import { withoutSweeper } from './tools/entries.ts'
import { anyOf, BURST_PER_SEC, KillPlan } from './tools/kills.ts'
import { Pusher } from './tools/pusher.ts'
import { COMMON_OPTIONS, setUp } from './tools/setup.ts'
import { verdict } from './tools/verdict.ts'

/** Single pushes while workers are killed with SIGKILL at seeded random times (docs/reliability.md T21, T22). */
export const workers: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    kills: { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
    concurrency: { type: 'string', default: '50' },
  },
  run,
}

/** Without the sweeper, what a worker held when Redis lost it: fewer would be luck. */
const LEAST_LOST = 10

async function run(options: Options): Promise<Figures> {
  const kills = numberOf(options, 'kills')
  const concurrency = numberOf(options, 'concurrency')
  const setup = await setUp(
    { ...options, slow: true },
    {
      workers: numberOf(options, 'workers'),
      workerConcurrency: concurrency,
      ...withoutSweeper(options),
    },
  )
  const { fleet, app, count, random } = setup
  try {
    const plan = new KillPlan(kills)
    const pusher = new Pusher({ app, count, perSec: BURST_PER_SEC, upTo: () => plan.upTo(count) })
    await plan.run(setup, () => anyOf(fleet.workers, random))
    await pusher.done
    return await verdict(setup, options, pusher.accepted, {
      duplicatesAllowed: kills * (concurrency + 100),
      kills,
      leastLost: LEAST_LOST,
      workers: fleet.workers.length,
    })
  } finally {
    await fleet.close()
  }
}
