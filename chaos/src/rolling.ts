import { type Figures, numberOf, type Options, progress, type Scenario, sleep } from '@fanfare/testkit'
import { anyOf, BURST_PER_SEC, KillPlan } from './tools/kills.ts'
import { Pusher } from './tools/pusher.ts'
import { COMMON_OPTIONS, type Setup, setUp } from './tools/setup.ts'
import { verdict } from './tools/verdict.ts'

/**
 * Deploys under load: every process in turn gets SIGTERM, must exit 0 and is started again (docs/reliability.md T29).
 */
export const rolling: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    restarts: { type: 'string', default: '5' },
    // Long enough that every process has pushes in flight when it is told to stop.
    'vendor-ms': { type: 'string', default: '300' },
  },
  run,
}

/** Two of each, as behind a load balancer: one serves while the other is replaced. */
const PROCESSES = 2
/** A share of the load has begun to come in when a process is told to stop. */
const INTO_SHARE_MS = { least: 50, most: 300 }

async function run(options: Options): Promise<Figures> {
  const restarts = numberOf(options, 'restarts')
  const setup = await setUp(options, { workers: PROCESSES, apis: PROCESSES })
  const { fleet, app, count, random } = setup
  try {
    const urlOf = () => anyOf(fleet.apis, random)?.url ?? ''
    const plan = new KillPlan(restarts * 2 * PROCESSES)
    const pusher = new Pusher({ app, count, perSec: BURST_PER_SEC, urlOf, upTo: () => plan.upTo(count) })
    for (let index = 1; index <= restarts; index++) {
      const slowestMs = await replaceAll(setup, plan)
      progress(`restart ${index} of ${restarts}, slowest exit ${Math.round(slowestMs)} ms`)
    }
    await pusher.done
    return await verdict(setup, options, pusher.accepted, { duplicatesAllowed: 0, restarts, retries: pusher.retries })
  } finally {
    await fleet.close()
  }
}

/** One process after the other; answers how long the slowest took to end. */
async function replaceAll({ fleet, random }: Setup, plan: KillPlan): Promise<number> {
  let slowestMs = 0
  for (const process of [...fleet.workers, ...fleet.apis]) {
    await sleep(INTO_SHARE_MS.least + random() * (INTO_SHARE_MS.most - INTO_SHARE_MS.least))
    const startedAt = performance.now()
    await fleet.retire(process, 'stop')
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
    if (process.name.startsWith('api')) await fleet.startApi()
    else await fleet.startWorker()
    plan.count()
  }
  return slowestMs
}
