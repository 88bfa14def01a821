import {
  type Figures,
  type FleetProcess,
  numberOf,
  type Options,
  progress,
  type Scenario,
  until,
} from '@fanfare/testkit'
import type { Crash } from './entries/crash-points.ts'
import { entryScript, withoutSweeper } from './tools/entries.ts'
import { BURST_PER_SEC, KillPlan } from './tools/kills.ts'
import { Pusher } from './tools/pusher.ts'
import { COMMON_OPTIONS, type Setup, setUp } from './tools/setup.ts'
import { verdict } from './tools/verdict.ts'

/** Single pushes while the API is killed at every await of its commit path in turn (docs/reliability.md T1 to T3). */
export const api: Scenario = {
  options: { ...COMMON_OPTIONS, kills: { type: 'string', default: '50' }, workers: { type: 'string', default: '1' } },
  run,
}

const CRASH_WITHIN_MS = 20_000

async function run(options: Options): Promise<Figures> {
  const kills = numberOf(options, 'kills')
  const setup = await setUp(options, { workers: numberOf(options, 'workers'), apis: 1, ...withoutSweeper(options) })
  const { fleet, app, count } = setup
  try {
    const points = new Set<string>()
    await restartWith(setup, { after: Number.MAX_SAFE_INTEGER }, points)
    const plan = new KillPlan(kills)
    const urlOf = () => fleet.apis[0]?.url ?? ''
    const pusher = new Pusher({ app, count, perSec: BURST_PER_SEC, urlOf, upTo: () => plan.upTo(count) })
    await killAtPoints(setup, plan, points)
    await pusher.done
    // Only the API dies here, so the idempotency keys leave no room for a second send.
    const extra = { duplicatesAllowed: 0, kills, points: [...points].sort(), retries: pusher.retries }
    return await verdict(setup, options, pusher.accepted, extra)
  } finally {
    await fleet.close()
  }
}

/** Takes the points in turn as they become known: a process for each kill, which ends itself at its point. */
async function killAtPoints(setup: Setup, plan: KillPlan, points: Set<string>): Promise<void> {
  await until('the API passes its first points', () => (points.size > 0 ? true : undefined))
  for (let index = 1; index <= plan.kills; index++) {
    const point = [...points].sort()[index % points.size] ?? ''
    // At most the share of pushes that one kill frees.
    const after = 1 + Math.floor((setup.random() * setup.count) / plan.kills)
    await endOf(await restartWith(setup, { point, after }, points))
    plan.count()
    progress(`kill ${index} of ${plan.kills} at ${point}`)
  }
  await restartWith(setup, { after: Number.MAX_SAFE_INTEGER }, points)
}

/** In the place of the running API; the pusher finds the new address by itself. */
async function restartWith({ fleet }: Setup, crash: Crash, points: Set<string>): Promise<FleetProcess> {
  const old = fleet.apis[0]
  if (old) await fleet.retire(old, 'kill')
  return fleet.startApi({
    script: entryScript('api'),
    args: [JSON.stringify(crash)],
    onMessage: (message) => points.add((message as { point: string }).point),
  })
}

/** Where the pushes have run out before the point was reached often enough, the process is killed as it stands. */
async function endOf(process: FleetProcess): Promise<void> {
  const timer = setTimeout(() => process.signal('SIGKILL'), CRASH_WITHIN_MS)
  await process.exited
  clearTimeout(timer)
}
