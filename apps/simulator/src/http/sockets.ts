import type { Server, Socket } from 'node:net'

/**
 * The TCP sockets below TLS, found by the client's port. A TLS socket cannot send RST, and `session.socket` of HTTP/2
 * does not let anybody end it.
 */
export class Sockets {
  private readonly byPort = new Map<number, Socket>()

  constructor(...servers: Server[]) {
    for (const server of servers) server.on('connection', (socket: Socket) => this.keep(socket))
  }

  reset(port: number | undefined): void {
    this.socketAt(port)?.resetAndDestroy()
  }

  /** Sends FIN after what was already written and nothing more. */
  end(port: number | undefined): void {
    this.socketAt(port)?.destroySoon()
  }

  socketAt(port: number | undefined): Socket | undefined {
    return port === undefined ? undefined : this.byPort.get(port)
  }

  destroyAll(): void {
    for (const socket of this.byPort.values()) socket.destroy()
  }

  private keep(socket: Socket): void {
    const port = socket.remotePort
    if (port === undefined) return
    this.byPort.set(port, socket)
    socket.once('close', () => {
      if (this.byPort.get(port) === socket) this.byPort.delete(port)
    })
  }
}
