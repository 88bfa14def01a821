import { fileURLToPath } from 'node:url'
import {
  countedOf,
  type Figures,
  Fleet,
  FleetApp,
  numberOf,
  type Options,
  progress,
  round,
  type Scenario,
  STORE_OPTIONS,
  sleep,
  storeFigures,
  storeOptions,
  Usage,
} from '@fanfare/testkit'
import { bindAll } from '../broadcast/ours.ts'
import { RedisPeak } from '../tools/redis-peak.ts'

/** A broadcast of any size in flat memory; a null vendor (null-vendor.entry.ts) takes everything at once. */
export const memory: Scenario = {
  options: {
    ...STORE_OPTIONS,
    devices: { type: 'string', default: '10000000' },
    workers: { type: 'string', default: '1' },
  },
  run,
}

const POLL_MS = 250
const TENTH = 0.1

async function run(options: Options): Promise<Figures> {
  const devices = numberOf(options, 'devices')
  const workerScript = fileURLToPath(new URL('./null-vendor.entry.js', import.meta.url))
  const fleet = await Fleet.start({
    ...storeOptions(options),
    workers: numberOf(options, 'workers'),
    workerScript,
    log: progress,
  })
  try {
    const app = await FleetApp.create(fleet)
    await app.liftTaskLimits()
    await bindAll(app, await app.addNotifier('xiaomi', 'bench'), { platform: 'xiaomi', devices })
    const figures = await measure(app, devices)
    return { ...figures, devices, workers: fleet.workers.length, ...storeFigures(options) }
  } finally {
    await fleet.close()
  }
}

async function measure(app: FleetApp, devices: number): Promise<Figures> {
  const { fleet } = app
  const rss = new Usage(() => fleet.servicePids())
  const cpu = new Usage(() => fleet.pids())
  const redis = new RedisPeak(fleet.redis)
  const startedAt = performance.now()
  const { body } = await app.call('POST', 'push/task', { pushMessage: { title: 'Fanfare', content: 'to everyone' } })
  const taskId = String((body as { data: number }).data)
  const seen = await watch({ app, taskId, devices, rss, startedAt })
  rss.stop()
  cpu.stop()
  return {
    accepted: devices,
    counted: seen.counted,
    devicesPerSec: round(devices / seen.seconds, 0),
    planSeconds: round(seen.planSeconds, 2),
    seconds: round(seen.seconds, 2),
    rssMbAtTenth: round(seen.rssMbAtTenth),
    rssMbEnd: round(seen.rssMbEnd),
    rssMbPeak: round(rss.rssMbPeak),
    redisMbPeak: round(await redis.stop()),
    cpuSecPer100k: round((cpu.cpuSec() * 100_000) / devices, 3),
    storeMb: round(fleet.storeServer.sizeMb()),
  }
}

type Watch = { app: FleetApp; taskId: string; devices: number; rss: Usage; startedAt: number }
type Seen = { counted: number; planSeconds: number; seconds: number; rssMbAtTenth: number; rssMbEnd: number }

async function watch({ app, taskId, devices, rss, startedAt }: Watch): Promise<Seen> {
  const elapsed = () => (performance.now() - startedAt) / 1000
  const seen: Seen = { counted: 0, planSeconds: 0, seconds: 0, rssMbAtTenth: 0, rssMbEnd: 0 }
  for (;;) {
    const task = await app.task(taskId)
    seen.counted = countedOf(task)
    if (seen.rssMbAtTenth === 0 && seen.counted >= devices * TENTH) seen.rssMbAtTenth = rss.rssMb()
    if (seen.planSeconds === 0 && task.planComplete) seen.planSeconds = elapsed()
    if (task.state === 'done') return { ...seen, seconds: elapsed(), rssMbEnd: rss.rssMb() }
    progress(`${seen.counted} of ${devices}, ${Math.round(rss.rssMb())} MB`)
    await sleep(POLL_MS)
  }
}
