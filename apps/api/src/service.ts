import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Opened } from '@fanfare/runtime'
import type { ApiConfig } from './config.ts'
import { type ApiContext, createContext, type Parts } from './context.ts'
import { mountBoard } from './http/board.ts'
import { closeApp, createApp, createHttpServer } from './http/server.ts'
import { openParts } from './open.ts'
import { ROUTES } from './routes/index.ts'

/** Requests under way get this long to end when the service stops. */
const DRAIN_MS = 10_000

/** The REST API: HTTP in, JSON out. Holds nothing that may not be lost. */
export class ApiService {
  readonly ctx: ApiContext
  readonly #server: Server
  readonly #opened: Opened<Parts>
  readonly #closeBoard: () => Promise<void>
  #url: string | undefined

  private constructor(ctx: ApiContext, opened: Opened<Parts>) {
    this.ctx = ctx
    this.#opened = opened
    const app = createApp(ctx, ROUTES)
    this.#closeBoard = mountBoard(app, ctx)
    closeApp(app)
    this.#server = createHttpServer(app, ctx)
  }

  /** Opens what is not given in `overrides`; whatever is given stays open when the service ends. */
  static async create(config: ApiConfig, overrides: Partial<Parts> = {}): Promise<ApiService> {
    const opened = await openParts(config, overrides)
    return new ApiService(createContext(config, opened.parts), opened)
  }

  /** Listens; rejects where the port is taken. Prints nothing. */
  async start(): Promise<void> {
    await this.ctx.clock.read()
    await this.ctx.tokens.start()
    this.ctx.sockets.start()
    this.ctx.memory.start()
    await this.ctx.hints.subscribe((channelId) => {
      this.ctx.channels.drop(channelId)
      this.ctx.pushers.drop(channelId)
    })
    await this.#listen(this.ctx.config)
    const { address, port, family } = this.#server.address() as AddressInfo
    this.#url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
  }

  #listen({ host, port }: ApiConfig): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException) =>
        reject(error.code === 'EADDRINUSE' ? taken(host, port, error) : error)
      this.#server.once('error', refuse)
      this.#server.listen(port, host, () => {
        this.#server.off('error', refuse)
        resolve()
      })
    })
  }

  /** Where it listens, once started. */
  get url(): string {
    if (this.#url === undefined) throw new Error('the API is not started')
    return this.#url
  }

  /** Not ready any more, takes no new requests, lets those under way end, closes what it opened. */
  async destroy(): Promise<void> {
    this.ctx.ready = false
    this.ctx.tokens.stop()
    await this.#stopServer()
    this.ctx.sockets.stop()
    this.ctx.memory.stop()
    await this.ctx.background.end()
    this.ctx.vendors.close()
    await this.#closeBoard()
    await this.#opened.close()
  }

  #stopServer(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve()
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.#server.closeAllConnections(), DRAIN_MS)
      this.#server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      this.#server.closeIdleConnections()
    })
  }
}

const taken = (host: string, port: number, cause: Error): Error =>
  new Error(`port ${port} of ${host} is taken by another program`, { cause })
