import type { Fault } from '@fanfare/simulator'
import { packageOf } from '@fanfare/testkit'
import type { Attack } from '../attack.ts'
import { type Attacker, type Ground, users } from '../ground.ts'

/** Devices at each of two vendors: enough for every place of a worker, and for many pages of a plan. */
const DEVICES = 5000
const LINES = 8
const SLOW_MS = 5000
const RETRY_AFTER_SECONDS = 5
const BAD = ['gone', 'bad', 'foreign', 'refused', 'stale']

type Trouble = Pick<Attack, 'name' | 'does'> & { fault?: Partial<Fault>; tokenOf?: (index: number) => string }

const TROUBLES: readonly Trouble[] = [
  {
    name: 'slow-vendor',
    does: `pushes to accounts whose vendor answers after ${SLOW_MS} ms`,
    fault: { kind: 'delay', delayMs: SLOW_MS },
  },
  {
    name: 'hanging-vendor',
    does: 'pushes to accounts whose vendor never answers',
    fault: { kind: 'hang' },
  },
  {
    name: 'vendor-429',
    does: 'pushes to accounts whose vendor answers 429 with Retry-After',
    fault: { kind: '429', retryAfterSeconds: RETRY_AFTER_SECONDS },
  },
  {
    name: 'expired-credentials',
    does: 'pushes with credentials that the vendor calls expired',
    fault: { kind: 'expired' },
  },
  {
    name: 'bad-tokens',
    does: `pushes to ${2 * DEVICES} tokens that are dead, malformed or of another project`,
    tokenOf: (index) => `${BAD[index % BAD.length]}-attacker-${index}`,
  },
]

/** Broadcasts, singles, lists and synchronous pushes to accounts of the attacker's own at which all goes wrong. */
export const vendorAttacks: readonly Attack[] = TROUBLES.map(({ name, does, fault, tokenOf }) => ({
  name,
  does,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    const tokens = tokenOf ?? ((index: number) => `ok-attacker-${index}`)
    await attacker.reach('fcm', { count: DEVICES, tokenOf: tokens })
    await attacker.reach('xiaomi', { count: DEVICES, from: DEVICES, tokenOf: tokens })
    const go = async () => {
      if (fault) await ground.simulator.setFaults(...everywhere(fault))
      await attacker.push('push/task')
      await attacker.push('push/task')
      await pushes(ground, attacker)
    }
    return { go }
  },
}))

const everywhere = (fault: Partial<Fault>): Fault[] => [
  { vendor: 'fcm', account: 'attacker-fcm', ...fault } as Fault,
  { vendor: 'xiaomi', account: packageOf('attacker-xiaomi'), ...fault } as Fault,
]

/** As fast as they are answered. */
async function pushes(ground: Ground, attacker: Attacker): Promise<void> {
  await ground.flood(LINES, async (number) => {
    const from = (number * 100) % (2 * DEVICES - 100)
    if (number % 4 === 0) await attacker.push(`push/sync/u${from}`)
    else if (number % 50 === 1) await attacker.push('push/list', { targets: users(from, from + 100) })
    else await attacker.push('push/single', { targets: users(from, from + 10) })
  })
}
