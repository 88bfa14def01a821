import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'

const MAILS = 3000
const SYNC_LINES = 250
const SYNC_EVERY_MS = 500
const LINES = 8

/** A mail server that takes each mail and never answers. */
export const stalledMail: Attack = {
  name: 'stalled-mail',
  does: `sends ${MAILS} mails to a server that never answers`,
  without: { workerScript: entryScript('worker-unshared-places') },
  async prepare(ground) {
    const attacker = await ground.attacker('attacker', { lifted: true })
    await attacker.reach('email', { count: MAILS, tokenOf: (index) => `hang-attacker-${index}@example.org` })
    const go = async () => {
      await attacker.push('push/task')
      await ground.flood(LINES, (number) => attacker.push('push/single', { targets: [`u${number % MAILS}`] }))
    }
    return { go }
  },
}

/** Synchronous pushes that wait for vendors that never answer. */
export const stalledSyncs: Attack = {
  name: 'stalled-syncs',
  does: `${SYNC_LINES} synchronous pushes at once to vendors that never answer`,
  without: { apiScript: entryScript('api-unshared-syncs') },
  async prepare(ground) {
    const attacker = await ground.attacker()
    await attacker.reach('email', { count: 500, tokenOf: (index) => `hang-attacker-${index}@example.org` })
    await attacker.reach('fcm', { count: 500, from: 500, tokenOf: (index) => `hang-attacker-${index}` })
    const push = (number: number) => attacker.push(`push/sync/u${(number * 7) % 1000}`)
    return { go: () => ground.flood(SYNC_LINES, push, SYNC_EVERY_MS) }
  },
}
