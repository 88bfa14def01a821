import { type Figures, numberOf, type Options, progress, type Scenario, sleep } from '@fanfare/testkit'
import type { Crash } from './entries/crash-points.ts'
import { entryScript } from './tools/entries.ts'
import { COMMON_OPTIONS, type Setup, setUp } from './tools/setup.ts'
import { taskVerdict } from './tools/task-verdict.ts'

/** The planner of a broadcast is killed again and again (docs/reliability.md T71). */
export const planner: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    count: { type: 'string', default: '200000' },
    kills: { type: 'string', default: '20' },
    'two-writes': { type: 'boolean', default: false },
  },
  run,
}

/** Devices of one page of the entries' plans; each page passes two points. */
const PAGE = 1000
const POINTS_PER_PAGE = 2
/** A planner that does not reach its point has nothing left to plan: a dead planner's lease is over long before. */
const PLANNED_WITHIN_MS = 60_000
/** Members that a worker may have in flight and unrecorded when it is killed. */
const IN_FLIGHT = 16_000

async function run(options: Options): Promise<Figures> {
  const setup = await setUp(options, { workers: 0 })
  const { fleet, app } = setup
  try {
    await app.liftTaskLimits()
    const { body } = await app.call('POST', 'push/task', { pushMessage: { title: 'chaos', content: 'to everyone' } })
    const taskId = String((body as { data: number }).data)
    const entry = options['two-writes'] === true ? 'planner-two-writes' : 'planner'
    const kills = await killPlanners(setup, numberOf(options, 'kills'), entry)
    await fleet.startWorker()
    return await taskVerdict(setup, options, taskId, { duplicatesAllowed: kills * IN_FLIGHT, kills })
  } finally {
    await fleet.close()
  }
}

/**
 * Each planner gets a share of the pages before it ends itself at one of its awaits, delivering meanwhile. Answers how
 * many ended while planning.
 */
async function killPlanners(setup: Setup, kills: number, entry: string): Promise<number> {
  const share = (setup.count / PAGE / kills) * POINTS_PER_PAGE
  let died = 0
  for (let index = 1; index <= kills; index++) {
    const crash: Crash = { after: 1 + Math.floor(setup.random() * share) }
    const process = await setup.fleet.startWorker({ script: entryScript(entry), args: [JSON.stringify(crash)] })
    await Promise.race([process.exited, sleep(PLANNED_WITHIN_MS)])
    if (!process.running) died++
    await setup.fleet.retire(process, 'kill')
    progress(`planner ${index} of ${kills} ended after ${crash.after} points`)
  }
  return died
}
