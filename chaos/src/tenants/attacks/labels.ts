import type { Attack } from '../attack.ts'
import { users } from '../ground.ts'

const LABELS = 10_000
const MEMBERS = 100
const DEVICES = 5000
const LINES = 8

/** Labels without end, each with members, and pushes to what three of them share. */
export const labels: Attack = {
  name: 'labels',
  does: `makes up to ${LABELS} labels with ${MEMBERS} members each, lists them and pushes to them`,
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.allow({ maxLabels: LABELS })
    await attacker.reach('xiaomi', { count: DEVICES, tokenOf: (index) => `ok-attacker-${index}` })
    const once = async (number: number) => {
      const label = number % LABELS
      const from = (label * MEMBERS) % DEVICES
      await attacker.call('POST', 'push/label', { name: `label-${label}` })
      await attacker.call('POST', `push/label/label-${label}/user`, { usernames: users(from, from + MEMBERS) })
      if (number % 20 !== 19) return
      await attacker.call('GET', 'push/label?limit=100')
      const targets = [label, label - 1, label - 2].map((each) => `label-${each}`)
      await attacker.push('push/list/label', { targets })
    }
    return { go: () => ground.flood(LINES, once) }
  },
}
