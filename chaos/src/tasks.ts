import { type Figures, numberOf, type Options, progress, type Scenario, sleep } from '@fanfare/testkit'
import { withoutSweeper } from './tools/entries.ts'
import { anyOf } from './tools/kills.ts'
import { COMMON_OPTIONS, type Setup, setUp } from './tools/setup.ts'
import { taskVerdict } from './tools/task-verdict.ts'

/** A broadcast while workers, API and Redis break in turn. */
export const tasks: Scenario = {
  options: {
    ...COMMON_OPTIONS,
    count: { type: 'string', default: '100000' },
    faults: { type: 'string', default: '9' },
    workers: { type: 'string', default: '2' },
  },
  run,
}

/** Makes a chunk take so long that the broadcast outlasts the faults; singles on FCM stay fast. */
const SLOW_BATCH_MS = 1500
const GAP_MS = { least: 200, most: 1500 }
/** Chunks of a worker that may be under way and unrecorded, times their members. */
const IN_FLIGHT_PER_WORKER = 16_000

type Fault = { name: string; strike(setup: Setup): Promise<void> }

const FAULTS: readonly Fault[] = [
  { name: 'worker kill -9', strike: killWorker },
  { name: 'Redis kill -9', strike: killRedis },
  { name: 'API kill -9', strike: killApi },
  { name: 'FLUSHALL', strike: async ({ fleet }) => void (await fleet.redis.set.flush()) },
  { name: 'Redis frozen for 3 s', strike: freezeRedis },
]

async function run(options: Options): Promise<Figures> {
  const setup = await setUp(options, { workers: numberOf(options, 'workers'), ...withoutSweeper(options) })
  const { fleet, app, simulator, random } = setup
  try {
    await app.liftTaskLimits()
    await simulator.setFaults({ vendor: 'xiaomi', kind: 'delay', delayMs: SLOW_BATCH_MS })
    const { body } = await app.call('POST', 'push/task', { pushMessage: { title: 'chaos', content: 'to everyone' } })
    const taskId = String((body as { data: number }).data)
    const faults = numberOf(options, 'faults')
    for (let index = 0; index < faults; index++) {
      await sleep(GAP_MS.least + random() * (GAP_MS.most - GAP_MS.least))
      const fault = FAULTS[index % FAULTS.length] as Fault
      progress(`fault ${index + 1} of ${faults}: ${fault.name}`)
      await fault.strike(setup)
    }
    await simulator.clearFaults()
    const duplicatesAllowed = faults * IN_FLIGHT_PER_WORKER
    return await taskVerdict(setup, options, taskId, { duplicatesAllowed, faults, workers: fleet.workers.length })
  } finally {
    await fleet.close()
  }
}

async function killWorker({ fleet, random }: Setup): Promise<void> {
  const victim = anyOf(fleet.workers, random)
  if (victim) await fleet.replace(victim, 'kill')
}

async function killApi({ fleet }: Setup): Promise<void> {
  await fleet.replace(fleet.api, 'kill')
}

async function killRedis({ fleet }: Setup): Promise<void> {
  await fleet.redis.set.kill('SIGKILL')
  await sleep(1000)
  await fleet.redis.set.restart()
}

async function freezeRedis({ fleet }: Setup): Promise<void> {
  await fleet.redis.set.kill('SIGSTOP')
  await sleep(3000)
  await fleet.redis.set.kill('SIGCONT')
}
