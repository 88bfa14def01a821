import { connect, type Socket } from 'node:net'
import { sleep } from '@fanfare/testkit'
import type { Attack } from '../attack.ts'
import type { Ground } from '../ground.ts'

const SOCKETS = 1000
const EVERY_MS = 1000
/** As fast as this machine opens connections without that being the attack. */
const DIALS = 5
const TICK_MS = 10
/** An address of this machine that the victim does not come from. */
const FROM = '127.0.0.2'

const BODY = JSON.stringify({ targets: ['u1'], pushMessage: { title: 'attack', content: 'x'.repeat(90) } })
const head = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: fanfare\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n`

/** What a socket begins with, and what it goes on with each second. None ever ends by itself. */
const MANNERS: readonly { first: string; drip: string }[] = [
  { first: `${head('/tenants/victim/push/task', 1000)}\r\n`, drip: '' },
  { first: `${head('/tenants/victim/push/single', BODY.length)}\r\n${BODY.slice(0, 20)}`, drip: '' },
  { first: `${head('/tenants/victim/push/single', 200_000)}\r\n`, drip: ' ' },
  { first: head('/tenants/victim/push/single', 1), drip: 'X-Drip: x\r\n' },
  { first: 'G', drip: '' },
  { first: `${head('/tenants/victim/token', 2)}\r\n{}`.repeat(50), drip: `${head('/tenants/victim/token', 2)}\r\n{}` },
]

/** Connections without a token that send too little, too slowly, or ask and do not read. */
export const sockets: Attack = {
  name: 'sockets',
  does: `${SOCKETS} connections without a token that hold what they get, opened again when they are closed`,
  prepare: (ground) => Promise.resolve({ go: () => hold(ground) }),
}

async function hold(ground: Ground): Promise<void> {
  const open = new Set<Socket>()
  const { hostname, port } = new URL(ground.fleet.api.url)
  const dial = (number: number) => {
    const manner = MANNERS[number % MANNERS.length] as (typeof MANNERS)[number]
    const socket = connect({ host: hostname, port: Number(port), localAddress: FROM })
    socket.pause()
    socket.write(manner.first)
    const timer = setInterval(() => manner.drip && socket.write(manner.drip), EVERY_MS)
    open.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(timer)
      open.delete(socket)
    })
  }
  for (let number = 0; !ground.signal.aborted; await sleep(TICK_MS)) {
    const most = Math.min(SOCKETS, open.size + DIALS)
    while (open.size < most) dial(number++)
  }
  for (const socket of open) socket.destroy()
}
