import { apnsToken } from '@fanfare/simulator'
import { notifierBody, seedDevices } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import type { Attacker } from '../ground.ts'

const REASONS = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']
const DEVICES = 3000
const LINES = 8
const NAME = 'attacker-apns'

/** Vendors whose reasons are names that every JavaScript object has. */
export const hostileReasons: Attack = {
  name: 'hostile-reasons',
  without: { workerScript: entryScript('worker-plain-ledger') },
  does: `pushes to tokens that the vendor refuses with reasons such as ${REASONS[0]}`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    const tokenOf = (index: number) => apnsToken(`code-${REASONS[index % REASONS.length]}`, index)
    await reachAlone(attacker, tokenOf)
    const go = async () => {
      await attacker.push('push/task')
      await ground.flood(LINES, (number) => attacker.push('push/single', { targets: [`u${number % DEVICES}`] }))
    }
    return { go }
  },
}

/** Of a team of its own: as Apple does, the simulator takes one new token of a team in 20 minutes. */
async function reachAlone({ app }: Attacker, tokenOf: (index: number) => string): Promise<void> {
  const apnsSettings = { keyId: 'ATTACKER01', teamId: 'TEAMATTACK', bundleId: 'org.example.attacker' }
  await app.call('POST', 'notifiers', { ...notifierBody('apns', NAME), apnsSettings })
  const channel = { appId: await app.appId(), channelId: await app.channelId(NAME) }
  await seedDevices(await app.fleet.openStore(), { ...channel, count: DEVICES, tokenOf })
}
