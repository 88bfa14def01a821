import type { SimulatorClient } from '@fanfare/simulator'
import { apnsToken, type Fleet, type FleetApp, seedDevices } from '@fanfare/testkit'

/** The platforms that a victim's devices are spread over: HTTP/2 with two kinds of credentials, batches, and SMTP. */
export const VICTIM_PLATFORMS = ['fcm', 'xiaomi', 'apns', 'email'] as const
export type VictimPlatform = (typeof VICTIM_PLATFORMS)[number]

/** More than it uses, so that its accounts have limits and are never slowed down by them. */
const LIMITS = { rate: 2000, perMs: 1000 }

/** Users of each platform. */
export const USERS_EACH = 25
export const USERS = USERS_EACH * VICTIM_PLATFORMS.length

/** What the victim's notifier is called; an attacker can know it, as the names of vendor accounts are no secrets. */
export const victimNotifier = (platform: VictimPlatform): string => `victim-${platform}`

export const platformOf = (user: number): VictimPlatform =>
  VICTIM_PLATFORMS[Math.floor(user / USERS_EACH)] as VictimPlatform

const TOKEN_OF: Readonly<Record<VictimPlatform, (user: number) => string>> = {
  fcm: (user) => `ok-victim-${user}`,
  xiaomi: (user) => `ok-victim-${user}`,
  apns: apnsToken,
  email: (user) => `ok-victim-${user}@example.org`,
}

export const tokenOf = (user: number): string => TOKEN_OF[platformOf(user)](user)

/** A notifier for each platform, and its users' devices. */
export async function seedVictim(app: FleetApp): Promise<void> {
  const store = await app.fleet.openStore()
  const appId = await app.appId()
  for (const [index, platform] of VICTIM_PLATFORMS.entries()) {
    const channelId = await app.addNotifier(platform, victimNotifier(platform), LIMITS)
    if (platform === 'email') await app.call('PATCH', `notifiers/${victimNotifier(platform)}`, mailServer(app.fleet))
    await seedDevices(store, { appId, channelId, from: index * USERS_EACH, count: USERS_EACH, tokenOf })
  }
}

/** The simulator's, which the fleet allows although it is on this machine. */
function mailServer(fleet: Fleet): object {
  const [host, port] = String(fleet.simulator.ready['smtp']).split(':')
  return { emailSettings: { host, port: Number(port) } }
}

/** How often each user's token took a message. */
export async function arrivalsByUser(simulator: SimulatorClient): Promise<number[]> {
  const counts: number[] = []
  for (let user = 0; user < USERS; user++) {
    const arrivals = await simulator.arrivalsOf(platformOf(user), tokenOf(user))
    counts.push(arrivals.filter(({ accepted }) => accepted).length)
  }
  return counts
}
