import { apnsToken } from '@fanfare/simulator'
import type { Attack } from '../attack.ts'

const REASONS = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']
const DEVICES = 3000
const LINES = 8

/** Vendors whose reasons are names that every JavaScript object has. */
export const hostileReasons: Attack = {
  name: 'hostile-reasons',
  does: `pushes to tokens that the vendor refuses with reasons such as ${REASONS[0]}`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    const tokenOf = (index: number) => apnsToken(`code-${REASONS[index % REASONS.length]}`, index)
    await attacker.reach('apns', { count: DEVICES, tokenOf })
    const go = async () => {
      await attacker.push('push/task')
      await ground.flood(LINES, (number) => attacker.push('push/single', { targets: [`u${number % DEVICES}`] }))
    }
    return { go }
  },
}
