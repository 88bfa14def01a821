import type { Attack } from '../attack.ts'

const MAILS = 3000
const LINES = 8

/** A mail server that takes each mail and never answers. */
export const stalledMail: Attack = {
  name: 'stalled-mail',
  does: `sends ${MAILS} mails to a server that never answers`,
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
