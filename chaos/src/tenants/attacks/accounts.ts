import { apnsToken } from '@fanfare/simulator'
import type { Attack } from '../attack.ts'
import type { Attacker, Ground } from '../ground.ts'

const LINES = 4
const DEVICES = 200
const NARROW = { rate: 0, maxInFlight: 1 }
const SLOW_MS = 5000

/** Pushes of all kinds to users of the attacker's, so that its limits are asked for. */
const use = (ground: Ground, attacker: Attacker, from: number, count: number) =>
  ground.flood(LINES, async (number) => {
    const user = `u${from + (number % count)}`
    if (number % 4 === 0) await attacker.push(`push/sync/${user}`)
    else await attacker.push('push/single', { targets: [user] })
  })

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
