import { apnsToken } from '@fanfare/simulator'
import { notifierBody } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import type { Attacker, Ground } from '../ground.ts'
import { VICTIM_PLATFORMS, type VictimPlatform, victimNotifier } from '../victim-devices.ts'

const LINES = 4
const DEVICES = 200
/** One push a day. */
const STARVED = { rate: 1, perMs: 86_400_000 }
const NARROW = { rate: 0, maxInFlight: 1 }
const SLOW_MS = 5000

const SECRET = 'secret-of-the-attacker'
const ok = (user: number): string => `ok-attacker-${user}`
const TOKEN_OF: Readonly<Record<VictimPlatform, (user: number) => string>> = {
  fcm: ok,
  xiaomi: ok,
  apns: (user) => apnsToken('ok', user),
  email: (user) => `${ok(user)}@example.org`,
}

/** Pushes of all kinds to users of the attacker's, so that its limits are asked for. */
const use = (ground: Ground, attacker: Attacker, from: number, count: number) =>
  ground.flood(LINES, async (number) => {
    const user = `u${from + (number % count)}`
    if (number % 4 === 0) await attacker.push(`push/sync/${user}`)
    else await attacker.push('push/single', { targets: [user] })
  })

/** Notifiers that name the victim's vendor accounts, with the attacker's own secrets and next to no rate. */
export const claimedAccounts: Attack = {
  name: 'claimed-accounts',
  does: "claims the victim's accounts with credentials of its own and one push a day",
  without: { apiScript: entryScript('api-text-accounts'), workerScript: entryScript('worker-text-accounts') },
  async prepare(ground) {
    const attacker = await ground.attacker()
    const build = async () => {
      for (const [index, platform] of VICTIM_PLATFORMS.entries()) {
        const keyed = platform === 'xiaomi' || platform === 'email'
        const place = {
          name: victimNotifier(platform),
          count: DEVICES,
          from: index * DEVICES,
          tokenOf: TOKEN_OF[platform],
        }
        await attacker.reach(platform, { ...place, limits: STARVED, ...(keyed && { secret: SECRET }) })
      }
      const settings = { projectId: victimNotifier('fcm') }
      await attacker.call('POST', 'notifiers', { ...notifierBody('fcm', 'other-project'), fcmSettings: settings })
      await attacker.call('PATCH', 'notifiers/other-project', { fcmSettings: settings, limits: STARVED })
    }
    return { build, go: () => use(ground, attacker, 0, DEVICES * VICTIM_PLATFORMS.length) }
  },
}

/** The victim's team and key id beside a key of the attacker's own, one stream at a time, and answers that take long. */
export const claimedConnection: Attack = {
  name: 'claimed-connection',
  does: "claims the victim's APNs team and key id with one request in flight, each answered late",
  async prepare(ground) {
    const attacker = await ground.attacker()
    const tokenOf = (user: number) => apnsToken(`slow-${SLOW_MS}`, user)
    const build = async () => {
      await attacker.reach('apns', { count: DEVICES, tokenOf, limits: NARROW })
    }
    return { build, go: () => use(ground, attacker, 0, DEVICES) }
  },
}
