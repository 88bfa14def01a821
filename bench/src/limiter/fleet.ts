import { simulatorClient } from '@fanfare/simulator'
import { Fleet, FleetApp, type FleetOptions, seedDevices } from '@fanfare/testkit'
import { Probe } from '../tools/probe.ts'
import { OTHER, OWN, PLATFORMS, type Platform, RATES, type Subject } from './subject.ts'

export type FleetOrder = FleetOptions & { workers: number; seconds: number }

/** Single pushes of one app and vendor, so many milliseconds apart. */
const SINGLE_EVERY_MS = 100
/** A backlog for the whole run, warm-up and changed rates included. */
const SPARE_SECONDS = 20
const OTHER_USERS = 1000

/** All of Fanfare: broadcasts through API, planner, queue and ledger, single pushes over HTTP meanwhile. */
export async function startFleet(order: FleetOrder): Promise<Subject> {
  const fleet = await Fleet.start(order)
  try {
    const simulator = simulatorClient(fleet.controlUrl)
    await simulator.setMode({ bodies: false })
    const own = await appsOf(fleet, OWN, (platform) => RATES[platform] * (order.seconds + SPARE_SECONDS))
    const other = await appsOf(fleet, OTHER, () => OTHER_USERS)
    for (const platform of PLATFORMS) await broadcast(own[platform])
    const probes = PLATFORMS.flatMap((platform) => [probeOf(own[platform], OWN), probeOf(other[platform], OTHER)])
    return {
      simulator,
      setRate: (platform, rate) => setRate(own[platform], rate),
      close: async () => {
        await Promise.all(probes.map((probe) => probe.stop()))
        await fleet.close()
      },
    }
  } catch (error) {
    await fleet.close()
    throw error
  }
}

type Apps = Record<Platform, FleetApp>

/** An app per vendor: a broadcast reaches all devices of an app. */
async function appsOf(fleet: Fleet, account: string, countOf: (platform: Platform) => number): Promise<Apps> {
  const apps = PLATFORMS.map(async (platform) => [
    platform,
    await appOf(fleet, account, { platform, count: countOf(platform) }),
  ])
  return Object.fromEntries(await Promise.all(apps)) as Apps
}

async function appOf(fleet: Fleet, account: string, of: { platform: Platform; count: number }): Promise<FleetApp> {
  const app = await FleetApp.create(fleet, { org: account, name: of.platform })
  await app.liftTaskLimits()
  const channelId = await app.addNotifier(of.platform, account, limitsOf(RATES[of.platform]))
  await seedDevices(await fleet.openStore(), { appId: await app.appId(), channelId, count: of.count })
  return app
}

const limitsOf = (rate: number) => ({ rate, unit: 'token', perMs: 1000 })

async function setRate(app: FleetApp, rate: number): Promise<void> {
  await app.call('PATCH', `notifiers/${OWN}`, { limits: limitsOf(rate) })
}

const broadcast = (app: FleetApp) =>
  app.call('POST', 'push/task', { pushMessage: { title: 'Fanfare', content: 'a broadcast' } })

const probeOf = (app: FleetApp, tag: string): Probe =>
  new Probe(app, { users: OTHER_USERS, everyMs: SINGLE_EVERY_MS, tag })
