import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@fanfare/core'
import type { Connection } from '@fanfare/redis'

export type FreshToken = { value: string; expiresInMs: number }

export type TokenProviderOptions = {
  /** Its commands must fail rather than wait for ever. Absent: the token is shared within this process only. */
  redis?: Connection | undefined
  /** What the token belongs to, e.g. `fcm:project`; channels with the same credential share one token. */
  name: string
  /** The channel's credential. It distinguishes tokens and seals them in Redis; it never leaves the process. */
  credential: string
  /** Its keyed hash, for a secret that could be found by trying: then what stands in Redis is no help in it. */
  proof?: string | undefined
  /** Gets a new token from the vendor, or signs one. ChannelError, BusyError and HttpError pass through to `get`. */
  fetch(): Promise<FreshToken>
  /** Renewed this long before it expires (docs/vendors.md §12). */
  earlyMs: number
  /** Up to this much more, at random per process, so that a fleet does not come to renew in one instant. */
  jitterMs?: number
  /** Never renewed when younger than this: Apple refuses more than one update per 20 min. */
  minAgeMs?: number
  log?: Log | undefined
  now?: () => number
}

type Token = { value: string; issuedAt: number; expiresAt: number; renewAt: number }

const LOCK_MS = 10_000
const POLL_MS = 40
const READY_WITHIN_MS = 2000
/** A Redis that failed is not asked again within this: each command may take its whole time-out. */
const REDIS_PAUSE_MS = 5000
/** After a renewal failed the old token is used on, and the vendor is asked again this much later. */
const AFTER_FAILURE_MS = 10_000

const DELETE_IF = `if redis.call('hget', KEYS[1], 'hash') == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`
const UNLOCK = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`

/**
 * The access token of one vendor account: shared by the fleet through Redis, renewed early by one process at a time
 * (single flight within a process, a lock over processes), sealed with a key derived from the credential. While the
 * vendor's token endpoint is down the present token is used to its end (T59); while Redis is down each process gets
 * its own.
 */
export class TokenProvider {
  readonly #options: TokenProviderOptions
  readonly #key: string
  readonly #sealKey: Buffer
  readonly #now: () => number
  #token: Token | undefined
  /** Came in the place of a refused one, and who met that refusal could not try it yet. */
  #untried: string | undefined
  #loading: Promise<Token> | undefined
  #redisAgainAt = 0

  constructor(options: TokenProviderOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    const { name, credential, proof = '' } = options
    const id = createHash('sha256')
      .update(name)
      .update('\0')
      .update(proof || credential)
      .digest('hex')
    this.#key = `fanfare:token:${id.slice(0, 32)}`
    this.#sealKey = Buffer.from(hkdfSync('sha256', credential, proof, 'fanfare access token', 32))
  }

  /** The token to use now. Costs nothing while the one at hand is fresh. */
  async get(): Promise<string> {
    const token = this.#token
    if (token && this.#now() < token.renewAt) return token.value
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined
    })
    return (await this.#loading).value
  }

  /**
   * The vendor refused `old`. True: the next `get` gives another one. False: none may be had yet, because the refused
   * one is younger than `minAgeMs`. A thousand refusals of one token lead to one renewal: whoever comes late compares.
   */
  async invalidate(old: string): Promise<boolean> {
    const token = this.#token
    if (token && token.value !== old) return true
    if (token && this.#now() - token.issuedAt < (this.#options.minAgeMs ?? 0)) return false
    this.#token = undefined
    await this.#quietly(async (redis) => redis.eval(DELETE_IF, 1, this.#key, hashOf(old)))
    return true
  }

  /** Members wait to be sent again with this token: it is the second one of theirs, and a third is not got at once. */
  keepUntried(token: string): void {
    this.#untried = token
  }

  isUntried(token: string): boolean {
    return this.#untried === token
  }

  /** The vendor took the present token. */
  accepted(): void {
    this.#untried = undefined
  }

  /**
   * The vendor says that the fleet uses too many tokens: takes the one in Redis, or puts this process's own there. They
   * can differ only where Redis was away while one was renewed.
   */
  async agree(): Promise<void> {
    const shared = await this.#quietly(() => this.#read())
    if (shared) this.#keep(shared)
    else if (this.#token) await this.#quietly(() => this.#write(this.#token as Token))
  }

  async #load(): Promise<Token> {
    const shared = await this.#quietly(() => this.#read())
    if (shared && this.#now() < shared.renewAt) return this.#keep(shared)
    const present = this.#stillGood(shared) ?? this.#stillGood(this.#token)
    try {
      return this.#keep(await this.#renew(present))
    } catch (error) {
      if (!present) throw error
      this.#options.log?.warn(
        { token: this.#options.name, reason: String(error) },
        'token not renewed, the old one is used',
      )
      return this.#keep({ ...present, renewAt: this.#now() + AFTER_FAILURE_MS })
    }
  }

  /** Renews under the lock; whoever finds it taken uses the present token, or waits for the new one. */
  async #renew(present: Token | undefined): Promise<Token> {
    const owner = randomBytes(8).toString('hex')
    const deadline = this.#now() + LOCK_MS
    do {
      const locked = await this.#quietly((redis) => redis.set(this.#lockKey, owner, 'PX', LOCK_MS, 'NX'), 'OK')
      if (locked === 'OK') return this.#renewLocked(owner)
      if (present) return { ...present, renewAt: this.#now() + 1000 }
      await sleep(POLL_MS)
      const shared = await this.#quietly(() => this.#read())
      if (shared && this.#now() < shared.renewAt) return shared
    } while (this.#now() < deadline)
    return this.#fetch()
  }

  async #renewLocked(owner: string): Promise<Token> {
    try {
      // Somebody may have renewed between our reading and our lock.
      const shared = await this.#quietly(() => this.#read())
      if (shared && this.#now() < shared.renewAt) return shared
      const token = await this.#fetch()
      await this.#quietly(() => this.#write(token))
      return token
    } finally {
      await this.#quietly((redis) => redis.eval(UNLOCK, 1, this.#lockKey, owner))
    }
  }

  async #fetch(): Promise<Token> {
    const { value, expiresInMs } = await this.#options.fetch()
    const issuedAt = this.#now()
    return this.#timed({ value, issuedAt, expiresAt: issuedAt + expiresInMs })
  }

  #timed(token: Omit<Token, 'renewAt'>): Token {
    const { earlyMs, jitterMs = 0 } = this.#options
    const lifeMs = token.expiresAt - token.issuedAt
    // A token that lives shorter than twice the early time is used for half its life.
    const early = Math.min(earlyMs + Math.random() * jitterMs, lifeMs / 2)
    return { ...token, renewAt: token.expiresAt - early }
  }

  #keep(token: Token): Token {
    this.#token = token
    return token
  }

  #stillGood(token: Token | undefined): Token | undefined {
    return token && this.#now() < token.expiresAt ? token : undefined
  }

  get #lockKey(): string {
    return `${this.#key}:lock`
  }

  async #read(): Promise<Token | undefined> {
    const { sealed, issuedAt, expiresAt } = (await this.#options.redis?.hgetall(this.#key)) ?? {}
    const value = sealed && this.#open(sealed)
    return value ? this.#timed({ value, issuedAt: Number(issuedAt), expiresAt: Number(expiresAt) }) : undefined
  }

  async #write({ value, issuedAt, expiresAt }: Token): Promise<void> {
    const fields = { hash: hashOf(value), sealed: this.#seal(value), issuedAt, expiresAt }
    await this.#options.redis
      ?.multi()
      .hset(this.#key, fields)
      .pexpire(this.#key, Math.max(1, Math.round(expiresAt - this.#now())))
      .exec()
  }

  #seal(value: string): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#sealKey, iv)
    return Buffer.concat([iv, cipher.update(value, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64')
  }

  #open(sealed: string): string | undefined {
    const bytes = Buffer.from(sealed, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.#sealKey, bytes.subarray(0, 12)).setAuthTag(
      bytes.subarray(-16),
    )
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
  }

  /** Redis is a help here, not a need: without it, or when it fails, `otherwise` stands. */
  async #quietly<T>(work: (redis: Connection) => Promise<T>, otherwise?: T): Promise<T | undefined> {
    const { redis, log, name } = this.#options
    if (!redis || this.#now() < this.#redisAgainAt) return otherwise
    try {
      if (redis.status !== 'ready') await ready(redis)
      return await work(redis)
    } catch (error) {
      this.#redisAgainAt = this.#now() + REDIS_PAUSE_MS
      log?.warn({ token: name, reason: String(error) }, 'access tokens cannot be shared, Redis failed')
      return otherwise
    }
  }
}

/** A process that just started may ask before its connection stands: then it would get a token that nobody shares. */
async function ready(redis: Connection): Promise<void> {
  if (redis.status === 'end') return
  await once(redis, 'ready', { signal: AbortSignal.timeout(READY_WITHIN_MS) })
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')
