import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net'

/** A TCP proxy that can cut its connections or stop carrying anything. */
export async function openTcpProxy(origin: string) {
  const target = new URL(origin)
  const sockets: Socket[] = []
  const server: Server = createTcpServer((inner) => {
    const outer = connectTcp(Number(target.port), target.hostname)
    for (const socket of [inner, outer]) socket.on('error', () => {})
    sockets.push(inner)
    inner.pipe(outer)
    outer.pipe(inner)
    inner.on('close', () => outer.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    },
    cut: (how: 'FIN' | 'RST') => {
      for (const socket of sockets) {
        if (how === 'RST') socket.resetAndDestroy()
        else socket.destroySoon()
      }
    },
    freeze: () => {
      for (const socket of sockets) {
        socket.unpipe()
        socket.pause()
      }
    },
  }
}
