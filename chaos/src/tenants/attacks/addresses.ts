import { type AddressInfo, createServer, type Server } from 'node:net'
import { notifierBody } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import type { Attacker } from '../ground.ts'

const LINES = 4
/** A port of mail, so that it is not the port that is refused. */
const PORT = 2525
/** This machine, as it can be written; and what cloud machines ask for their secrets. */
const HOSTS = [
  ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0177.0.0.1', '127.0.0.53', '0.0.0.0', '0'],
  ...['localhost', 'localhost.', 'LOCALHOST', 'x.localhost', '::1', '[::1]', '::ffff:127.0.0.1', '::ffff:7f00:1'],
  ...['0xa9fea9fe', '169.254.169.254', '100.64.0.1', '10.0.0.1', 'redis', 'metadata.google.internal'],
]

/** Mail servers that are none: addresses inside, which we can reach and the attacker cannot. */
export const internalAddresses: Attack = {
  name: 'internal-addresses',
  does: `sends mail to ${HOSTS.length} spellings of addresses that are not public`,
  // The operator's mail server would stand in the place of all that tenants name.
  env: { VENDOR_SMTP: '' },
  without: { apiScript: entryScript('api-without-guard'), workerScript: entryScript('worker-without-guard') },
  async prepare(ground) {
    const attacker = await ground.attacker()
    const inside = await Inside.open()
    ground.signal.addEventListener('abort', () => inside.close())
    const once = async (number: number) => {
      const index = number % HOSTS.length
      await upload(attacker, `mail-${index}`, { host: HOSTS[index] as string, port: inside.port })
      await attacker.push(`push/sync/u${index}`)
      await attacker.push('push/single', { targets: [`u${index}`] })
    }
    const harm = () => (inside.visits > 0 ? `${inside.visits} connections to an address inside` : undefined)
    return { go: () => ground.flood(LINES, once), harm }
  },
}

async function upload(attacker: Attacker, name: string, server: { host: string; port: number }): Promise<void> {
  const body = notifierBody('email', name)
  const emailSettings = { ...(body['emailSettings'] as object), ...server }
  await attacker.call('POST', 'notifiers', { ...body, emailSettings })
  const device = { device_id: 'mail', notifier_name: name, device_token: 'ok-attacker@example.org' }
  await attacker.call('PUT', `users/u${name.split('-')[1]}/push/binding`, device)
}

/** Something that listens inside and counts who comes. */
class Inside {
  visits = 0
  readonly #server: Server

  private constructor() {
    this.#server = createServer((socket) => {
      this.visits++
      socket.on('error', () => undefined)
      socket.end('500 not for you\r\n')
    })
  }

  /** On the port of mail, or where that is taken on any. */
  static async open(): Promise<Inside> {
    const inside = new Inside()
    await inside.#listen(PORT).catch(() => inside.#listen(0))
    return inside
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, () => resolve())
    })
  }
}
