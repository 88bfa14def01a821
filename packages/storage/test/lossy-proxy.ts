import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** What is lost: the request (it never arrives), or only its reply (it is applied, and nobody hears of it). */
export type Loss = 'request' | 'reply'

/**
 * A TCP proxy on a free port that can lose the next request with certain bytes in it, by cutting its connection, or hold
 * it back, as if its sender had been suspended right before it.
 */
export class LossyProxy {
  /** How many requests or replies were lost. */
  lost = 0
  #marks: string[] | undefined
  #loss: Loss = 'reply'
  #down = false
  #thenDown = false
  #holding: { marks: string[]; held: (release: () => void) => void } | undefined
  readonly #port: number
  readonly #sockets = new Set<Socket>()
  readonly #server: Server

  private constructor(port: number) {
    this.#port = port
    this.#server = createServer((client) => this.#pass(client))
  }

  static async start(toUrl: string): Promise<LossyProxy> {
    const proxy = new LossyProxy(Number(new URL(toUrl).port))
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  /** The same database through the proxy; `directConnection`, or the driver would go to the server's own address. */
  urlOf(url: string): string {
    const through = new URL(url)
    through.port = String((this.#server.address() as AddressInfo).port)
    through.searchParams.set('directConnection', 'true')
    return through.href
  }

  /** Loses the next request that holds all of these texts; with `thenDown` all connections from then on, too. */
  loseNext(loss: Loss, marks: string[], thenDown = false): void {
    this.#loss = loss
    this.#marks = marks
    this.#thenDown = thenDown
  }

  /** Holds back the next request that holds all of these texts; resolves when it has come, with what lets it pass. */
  holdNext(marks: string[]): Promise<() => void> {
    return new Promise((held) => {
      this.#holding = { marks, held }
    })
  }

  /** Loses nothing any more. */
  up(): void {
    this.#down = false
    this.#marks = undefined
  }

  async close(): Promise<void> {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await once(this.#server, 'close')
  }

  #pass(client: Socket): void {
    if (this.#down) {
      client.destroy()
      return
    }
    const server = connect({ port: this.#port, host: '127.0.0.1' })
    let losing = false
    client.on('data', (data) => {
      const marked = this.#marks?.every((mark) => data.includes(mark))
      if (marked) {
        this.#marks = undefined
        losing = true
      }
      const holding = this.#holding
      if (holding?.marks.every((mark) => data.includes(mark))) {
        this.#holding = undefined
        holding.held(() => server.write(data))
      } else if (marked && this.#loss === 'request') this.#cut(client, server)
      else server.write(data)
    })
    server.on('data', (data) => (losing ? this.#cut(client, server) : client.write(data)))
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }

  #cut(client: Socket, server: Socket): void {
    this.lost++
    this.#down = this.#thenDown
    client.destroy()
    server.destroy()
    if (this.#down) for (const socket of this.#sockets) socket.destroy()
  }
}
