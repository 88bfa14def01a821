import { type FleetPlatform, forgeries, notifierBody } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import type { Attacker } from '../ground.ts'

const LINES = 2
const EVERY_MS = 1000
const ROUNDS = 1_000_000
const RSA_BITS = 16_384

/** By platform, what is given as its credential. */
const poisons = (): { platform: FleetPlatform; certificate: string }[] => [
  { platform: 'apns', certificate: forgeries.p12WithSealOf(ROUNDS) },
  { platform: 'apns', certificate: forgeries.blanks() },
  { platform: 'fcm', certificate: forgeries.accountWith(forgeries.rsaKeyOf(RSA_BITS)) },
  { platform: 'apns', certificate: JSON.stringify({ pem: forgeries.pemWithKeyOf(ROUNDS), password: 'secret' }) },
]

/** Credentials that take seconds to be read or to sign with, uploaded, replaced and used. */
export const keyMaterial: Attack = {
  name: 'key-material',
  does: 'uploads credentials that take seconds to judge or to sign with, and pushes with them',
  without: { apiScript: entryScript('api-proving-here'), workerScript: entryScript('worker-proving-here') },
  async prepare(ground) {
    const attacker = await ground.attacker()
    const bodies = poisons().map(({ platform, certificate }, index) => ({
      ...notifierBody(platform, `poison-${index}`),
      certificate,
    }))
    const once = async (number: number) => {
      const index = number % bodies.length
      await upload(attacker, bodies[index] as { name: string })
      await attacker.push(`push/sync/u${index}`)
      await attacker.push('push/single', { targets: [`u${index}`] })
    }
    return { go: () => ground.flood(LINES, once, EVERY_MS) }
  },
}

/** As a new notifier, or in the place of what is there; and a device on it. */
async function upload(attacker: Attacker, body: { name: string }): Promise<void> {
  const made = await attacker.call('POST', 'notifiers', body)
  if (made?.status !== 200) await attacker.call('PATCH', `notifiers/${body.name}`, body)
  const user = `u${body.name.split('-')[1]}`
  const device = { device_id: 'phone', notifier_name: body.name, device_token: 'ab'.repeat(32) }
  await attacker.call('PUT', `users/${user}/push/binding`, device)
}
