import { countedOf, type Figures, type Options, progress, round, sleep } from '@fanfare/testkit'
import { brokenInvariants } from './invariants.ts'
import type { Setup } from './setup.ts'
import type { Extra } from './verdict.ts'

/** A task that makes no progress for this long will not make any: longer than every lease, lock and scan. */
const QUIET_MS = 30_000
const PAGE = 200

/** Waits for the broadcast's end, accounts for every device and judges. */
export async function taskVerdict(setup: Setup, options: Options, taskId: string, extra: Extra): Promise<Figures> {
  const ended = await untilEnded(setup, taskId)
  const task = await setup.app.task(taskId)
  const arrived = (await setup.simulator.tokens()).filter(({ accepted }) => accepted > 0).length
  const arrivals = await setup.simulator.counts()
  const failed = task.counts.FAIL + task.counts.ERROR
  const figures = {
    accepted: setup.count,
    delivered: arrived,
    lost: Math.max(0, setup.count - arrived - failed),
    duplicates: arrivals.duplicates,
    counted: countedOf(task),
    plannedTwice: await plannedTwice(setup, taskId),
  }
  const broken = ended ? await brokenInvariants(setup, [taskId]) : ['the task has not ended']
  for (const sentence of broken.slice(0, 10)) progress(`BROKEN: ${sentence}`)
  const exact = figures.lost === 0 && figures.plannedTwice === 0 && figures.counted === figures.accepted
  const held = exact && broken.length === 0 && figures.duplicates <= extra.duplicatesAllowed
  return {
    ...figures,
    ...extra,
    broken: broken.length,
    seconds: round((performance.now() - setup.startedAt) / 1000),
    seed: setup.seed,
    store: setup.fleet.options.store ?? 'sqlite',
    held: options['expect-loss'] === true ? figures.lost > 0 || figures.plannedTwice > 0 : held,
  }
}

async function untilEnded(setup: Setup, taskId: string): Promise<boolean> {
  let last = ''
  let changedAt = performance.now()
  while (performance.now() - changedAt < QUIET_MS) {
    const { state, counts } = await setup.app.task(taskId)
    if (state === 'done') return true
    const now = `${state} ${JSON.stringify(counts)}`
    if (now !== last) changedAt = performance.now()
    if (now !== last) progress(now)
    last = now
    await sleep(1000)
  }
  return false
}

/** Devices that stand in more than one chunk of the task. */
async function plannedTwice(setup: Setup, taskId: string): Promise<number> {
  const store = await setup.fleet.openStore()
  const seen = new Set<string>()
  let members = 0
  for (let afterSeq = -1; ; ) {
    const chunks = await store.chunks.ofTask(taskId, { afterSeq, limit: PAGE })
    for (const { members: list } of chunks) {
      members += list.length
      for (const { deviceId } of list) seen.add(deviceId ?? '')
    }
    const last = chunks.at(-1)
    if (!last) return members - seen.size
    afterSeq = last.seq
  }
}
