import { connect, type Socket } from 'node:net'
import { sleep } from '@fanfare/testkit'
import { entryScript } from '../../tools/entries.ts'
import type { Attack } from '../attack.ts'
import type { Ground } from '../ground.ts'

const SOCKETS = 1000
const DRIP_MS = 1000
/** As fast as this machine opens connections without that being the attack. */
const DIALS = 5
const TICK_MS = 10
/** An address of this machine that the victim does not come from. */
const FROM = '127.0.0.2'
const PATH = '/tenants/attacker/push/single'

/** What a socket begins with, and what it goes on with each second. None ever ends by itself. */
type Manner = { first: string; drip: string }

function mannersOf(token: string): Manner[] {
  const line = `POST ${PATH} HTTP/1.1\r\nHost: fanfare\r\nContent-Type: application/json\r\n`
  const own = `${line}Authorization: Bearer ${token}\r\n`
  return [
    { first: `${own}Content-Length: 100\r\n\r\n{"tar`, drip: '' },
    { first: `${own}Content-Length: 200000\r\n\r\n`, drip: ' ' },
    { first: `${own}Transfer-Encoding: chunked\r\n\r\n`, drip: '1\r\n \r\n' },
    { first: `${own}Content-Length: 1000\r\n\r\n`, drip: '{' },
    { first: `${line}Content-Length: 100\r\n\r\n{"tar`, drip: ' ' },
    { first: line, drip: 'X-Drip: x\r\n' },
    { first: 'G', drip: '' },
    { first: `${own}Content-Length: 2\r\n\r\n{}`.repeat(50), drip: `${own}Content-Length: 2\r\n\r\n{}` },
  ]
}

/** Connections that send too little, too slowly, or ask and do not read, with a token of the attacker's and without. */
export const sockets: Attack = {
  name: 'sockets',
  does: `${SOCKETS} connections that hold what they get, opened again when they are closed`,
  without: { apiScript: entryScript('api-place-at-head') },
  async prepare(ground) {
    const { app } = await ground.attacker()
    return { go: () => hold(ground, mannersOf(app.token)) }
  },
}

async function hold(ground: Ground, manners: readonly Manner[]): Promise<void> {
  const open = new Set<Socket>()
  const { hostname, port } = new URL(ground.fleet.api.url)
  const dial = ({ first, drip }: Manner) => {
    const socket = connect({ host: hostname, port: Number(port), localAddress: FROM })
    socket.pause()
    socket.write(first)
    const timer = setInterval(() => drip && socket.write(drip), DRIP_MS)
    open.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(timer)
      open.delete(socket)
    })
  }
  for (let number = 0; !ground.signal.aborted; await sleep(TICK_MS)) {
    const most = Math.min(SOCKETS, open.size + DIALS)
    while (open.size < most) dial(manners[number++ % manners.length] as Manner)
  }
  for (const socket of open) socket.destroy()
}
