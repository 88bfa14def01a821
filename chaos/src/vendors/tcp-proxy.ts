import { connect, createServer, type Server, type Socket } from 'node:net'

/** `pass` hands bytes on; `reset` closes each new connection with RST; `black-hole` takes bytes and gives none. */
export type ProxyMode = 'pass' | 'reset' | 'black-hole'

/** A TCP proxy between Fanfare and the simulator whose behaviour can be switched while connections stand. */
export class TcpProxy {
  mode: ProxyMode = 'pass'
  readonly #target: { host: string; port: number }
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #port = 0

  private constructor(target: { host: string; port: number }) {
    this.#target = target
    this.#server = createServer((socket) => this.#accept(socket))
  }

  /** In front of `url`; answers at its own `url`. */
  static async start(url: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(url)
    const proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.open()
    return proxy
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`
  }

  /** Listens (again, on the same port). */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', () => {
        const address = this.#server.address()
        this.#port = typeof address === 'object' && address ? address.port : 0
        resolve()
      })
    })
  }

  /** Nobody listens any more: connecting is refused. Standing connections end. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    await closed
  }

  /** Resets all standing connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#sockets.clear()
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse()
  }

  #accept(client: Socket): void {
    this.#keep(client)
    if (this.mode === 'reset') return void client.resetAndDestroy()
    const vendor = connect(this.#target)
    this.#keep(vendor)
    client.on('data', (bytes) => void (this.mode === 'pass' && vendor.write(bytes)))
    vendor.on('data', (bytes) => void (this.mode === 'pass' && client.write(bytes)))
    client.once('close', () => vendor.destroy())
    vendor.once('close', () => client.destroy())
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#sockets.delete(socket))
  }
}
