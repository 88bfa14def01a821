import { Redis } from 'ioredis'
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

/**
 * Redis as the limiter sees it: every call answers within `answerMs` or rejects, and the identity of the server is
 * known, so that a restarted or another Redis is noticed (its memory may be older than what was sent).
 */
export class LimiterConnection {
  readonly #redis: Redis
  readonly #own: boolean
  readonly #answerMs: number
  #server: Promise<string> | undefined
  #whenReady: Promise<void> | undefined

  constructor(redis: string | Redis, answerMs: number) {
    this.#own = typeof redis === 'string'
    this.#answerMs = answerMs
    this.#redis = typeof redis === 'string' ? connect(redis) : redis
    for (const { command, ...script } of Object.values(SCRIPTS)) this.#redis.defineCommand(command, script)
    this.#redis.on('close', this.#forgetServer)
  }

  /** Runs the calls in one round trip; one answer per call. The server's identity is filled in for the placeholder. */
  async run(calls: readonly ScriptCall[]): Promise<(ScriptAnswer | Error)[]> {
    const answers = await within(this.#answerMs, this.#exec(calls))
    return answers.map(([error, answer]) => error ?? (answer as ScriptAnswer))
  }

  /** Stands in `args` for the identity of the Redis that runs the call. */
  static readonly SERVER = PLACEHOLDER

  close(): void {
    this.#redis.off('close', this.#forgetServer)
    if (this.#own) this.#redis.disconnect()
  }

  readonly #forgetServer = (): void => {
    this.#server = undefined
  }

  async #exec(calls: readonly ScriptCall[]): Promise<[Error | null, unknown][]> {
    await this.#ready()
    this.#server ??= this.#identify()
    const server = await this.#server
    const pipeline = this.#redis.pipeline() as unknown as Record<string, (...args: (string | number)[]) => unknown> & {
      exec(): Promise<[Error | null, unknown][] | null>
    }
    for (const { script, keys, args } of calls) {
      pipeline[SCRIPTS[script].command]?.(...keys, ...args.map((arg) => (arg === PLACEHOLDER ? server : arg)))
    }
    return (await pipeline.exec()) ?? []
  }

  async #identify(): Promise<string> {
    try {
      return /run_id:(\w+)/.exec(await this.#redis.info('server'))?.[1]?.slice(0, 16) ?? 'redis'
    } catch (error) {
      this.#server = undefined
      throw error
    }
  }

  #ready(): Promise<void> | void {
    if (this.#redis.status === 'ready') return
    if (this.#redis.status === 'end') return Promise.reject(new Error('the connection to Redis is closed'))
    this.#whenReady ??= new Promise((resolve) => {
      this.#redis.once('ready', () => {
        this.#whenReady = undefined
        resolve()
      })
    })
    return this.#whenReady
  }
}

/** No offline queue and no retries: what cannot be asked now is denied now. Reconnects at least every second. */
function connect(url: string): Redis {
  const redis = new Redis(url, {
    connectionName: 'fanfare-limiter',
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    // A connection that is closed already is waited for as long as one that is not.
    disconnectTimeout: 100,
    retryStrategy: (tries) => Math.min(1000, 50 * 2 ** Math.min(tries, 5)),
  })
  // Every failed call says so itself; without a listener ioredis would write each error to the console.
  redis.on('error', () => undefined)
  return redis
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    work.catch(() => undefined)
  }
}
