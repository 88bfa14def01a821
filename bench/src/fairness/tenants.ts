import { type Fleet, FleetApp, seedDevices } from '@fanfare/testkit'

type Platform = 'xiaomi' | 'fcm'

/** One customer with an app per platform: a broadcast reaches all devices of an app, so a platform needs its own. */
export type Tenant = {
  name: string
  apps: Record<Platform, FleetApp>
  /** Users of the Xiaomi app, for single pushes. */
  singles: { users: number; firstUser: number }
}

const SINGLES = 2000

/** Devices of both platforms, each with a token of its own in the whole run. */
export async function tenant(fleet: Fleet, name: string, devices: Record<Platform, number>): Promise<Tenant> {
  const xiaomi = await appWith(fleet, name, { platform: 'xiaomi', count: devices.xiaomi })
  const fcm = await appWith(fleet, `${name}-fcm`, { platform: 'fcm', count: devices.fcm })
  return { name, apps: { xiaomi, fcm }, singles: { users: Math.min(SINGLES, devices.xiaomi), firstUser: 0 } }
}

/** A push to everyone; answers the task's id. */
export async function broadcastTo(app: FleetApp): Promise<string> {
  const pushMessage = { title: 'Fanfare', content: 'a broadcast' }
  const { body } = await app.call('POST', 'push/task', { pushMessage })
  return String((body as { data: number }).data)
}

async function appWith(fleet: Fleet, name: string, what: { platform: Platform; count: number }): Promise<FleetApp> {
  const app = await FleetApp.create(fleet, { org: 'fair', name })
  await app.liftTaskLimits()
  const channelId = await app.addNotifier(what.platform, name)
  await seedDevices(await fleet.openStore(), {
    appId: await app.appId(),
    channelId,
    count: what.count,
    tokenOf: (index) => `ok-${name}-${index}-${'x'.repeat(100)}`,
  })
  return app
}
