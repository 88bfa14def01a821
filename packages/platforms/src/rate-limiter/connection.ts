import { type Connection, connect, disconnect, type identityOf, type Server, serverOf, within } from '@fanfare/redis'
import { CARRY_SCRIPT } from './carry-script.ts'
import { LIMITER_SCRIPT } from './script.ts'

/** One call of the script in a round trip: its keys and arguments. */
export type ScriptCall = { script: keyof typeof SCRIPTS; keys: readonly string[]; args: readonly (string | number)[] }
export type ScriptAnswer = readonly [epoch: string, ...results: number[]]

/** By the name of their command. */
const SCRIPTS = {
  limit: { command: 'fanfareLimit', lua: LIMITER_SCRIPT, numberOfKeys: 8 },
  carry: { command: 'fanfareCarry', lua: CARRY_SCRIPT, numberOfKeys: 7 },
} as const
const PLACEHOLDER = '\0server'

type ConnectionOptions = { answerMs: number; prefix: string; identityOf: typeof identityOf }

type ScriptPipeline = Record<string, (...args: (string | number)[]) => unknown> & {
  exec(): Promise<[Error | null, unknown][] | null>
}

/**
 * Redis as the limiter sees it: every call answers within `answerMs` or rejects, and the identity of the server is
 * known, so that a restarted, a promoted or another Redis is noticed (its memory may be older than what was sent). All
 * keys of the limiter are in one slot, so of a cluster one master is asked, and no call is sent on to another one.
 */
export class LimiterConnection {
  readonly #redis: Connection
  readonly #answerMs: number
  readonly #prefix: string
  readonly #identify: ConnectionOptions['identityOf']
  readonly #identities = new WeakMap<Server, Promise<string>>()
  readonly #watched = new WeakSet<Server>()
  readonly #whenReady = new WeakMap<Connection, Promise<void>>()

  constructor(redisUrl: string, options: ConnectionOptions) {
    this.#answerMs = options.answerMs
    this.#prefix = options.prefix
    this.#identify = options.identityOf
    this.#redis = connect(redisUrl, 'none', 'fanfare-limiter')
  }

  /** Runs the calls in one round trip; one answer per call. The server's identity is filled in for the placeholder. */
  async run(calls: readonly ScriptCall[]): Promise<(ScriptAnswer | Error)[]> {
    const answers = await within(this.#answerMs, this.#exec(calls), () => {
      throw new Error(`Redis did not answer within ${this.#answerMs} ms`)
    })
    return answers.map(([error, answer]) => error ?? (answer as ScriptAnswer))
  }

  /** Stands in `args` for the identity of the Redis that runs the call. */
  static readonly SERVER = PLACEHOLDER

  /** Asks anew who the server is: it may have been replaced, and promoted again, behind a connection that stood. */
  forget(): void {
    const server = serverOf(this.#redis, this.#prefix)
    if (server) this.#identities.delete(server)
  }

  close(): void {
    disconnect(this.#redis)
  }

  async #exec(calls: readonly ScriptCall[]): Promise<[Error | null, unknown][]> {
    const server = await this.#server()
    const identity = await this.#identityOf(server)
    const pipeline = server.pipeline() as unknown as ScriptPipeline
    for (const { script, keys, args } of calls) {
      pipeline[SCRIPTS[script].command]?.(...keys, ...args.map((arg) => (arg === PLACEHOLDER ? identity : arg)))
    }
    const answers = (await pipeline.exec()) ?? []
    // It is a replica now, or the slot has moved.
    if (answers.some(([error]) => error)) this.#lookAgain()
    return answers
  }

  #identityOf(server: Server): Promise<string> {
    const known = this.#identities.get(server)
    if (known !== undefined) return known
    const asked = this.#identify(server)
    this.#identities.set(server, asked)
    asked.catch(() => this.#identities.delete(server))
    return asked
  }

  /** The one that holds the limiter, ready to be asked. */
  async #server(): Promise<Server> {
    await this.#ready(this.#redis)
    const server = serverOf(this.#redis, this.#prefix)
    if (server === undefined || server.status === 'end') {
      this.#lookAgain()
      throw new Error('the master that holds the limiter is away')
    }
    this.#watch(server)
    if (server.status === 'wait') await server.connect()
    await this.#ready(server)
    return server
  }

  #ready(redis: Connection): Promise<void> | void {
    if (redis.status === 'ready') return
    if (redis.status === 'end') return Promise.reject(new Error('the connection to Redis is closed'))
    const known = this.#whenReady.get(redis)
    if (known !== undefined) return known
    const whenReady = new Promise<void>((resolve) => {
      redis.once('ready', () => {
        this.#whenReady.delete(redis)
        resolve()
      })
    })
    this.#whenReady.set(redis, whenReady)
    return whenReady
  }

  #watch(server: Server): void {
    if (this.#watched.has(server)) return
    this.#watched.add(server)
    for (const { command, ...script } of Object.values(SCRIPTS)) server.defineCommand(command, script)
    server.on('close', () => this.#identities.delete(server))
  }

  #lookAgain(): void {
    this.forget()
    if ('slots' in this.#redis) this.#redis.refreshSlotsCache()
  }
}
