import { createHash } from 'node:crypto'
import { ChannelError } from '@fanfare/core'
import { type Connection, connect, type Patience } from '@fanfare/redis'
import { startRedis } from '@fanfare/testkit'
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { HttpError, TokenProvider, type TokenProviderOptions } from '../src/index.ts'

jest.setTimeout(30_000)

const MINUTE_MS = 60_000
let redis: Awaited<ReturnType<typeof startRedis>>
const connections: Connection[] = []
let fetched = 0
let clockMs = 0

beforeEach(async () => {
  redis = await startRedis()
  fetched = 0
  clockMs = Date.now()
})
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.disconnect()
  await redis.stop()
})

function open(patience: Patience = 'short'): Connection {
  const connection = connect(redis.url, patience)
  connections.push(connection)
  return connection
}

/** One process of a fleet. */
function provider(more: Partial<TokenProviderOptions> = {}): TokenProvider {
  return new TokenProvider({
    redis: open(),
    name: 'fcm:demo',
    credential: 'the secret',
    earlyMs: 5 * MINUTE_MS,
    now: () => clockMs,
    fetch: async () => {
      await new Promise((resolve) => setTimeout(resolve, 60))
      return { value: `token-${++fetched}`, expiresInMs: 60 * MINUTE_MS }
    },
    ...more,
  })
}

/** Fails once, as after an outage, then works. */
function broken(): Connection {
  const connection = open()
  const hgetall = connection.hgetall.bind(connection)
  let failed = false
  connection.hgetall = ((key: string) => {
    if (failed) return hgetall(key)
    failed = true
    return Promise.reject(new Error('Redis is away'))
  }) as typeof connection.hgetall
  return connection
}

describe('the access token of an account', () => {
  it('is fetched once by fifty askers in two processes', async () => {
    const fleet = [provider(), provider()]
    const values = await Promise.all(
      Array.from({ length: 50 }, (_, index) => (fleet[index % 2] as TokenProvider).get()),
    )
    expect(new Set(values)).toEqual(new Set(['token-1']))
    expect(fetched).toBe(1)
  })

  it('is fetched by each process without Redis', async () => {
    const fleet = [provider({ redis: undefined }), provider({ redis: undefined })]
    await Promise.all(Array.from({ length: 50 }, (_, index) => (fleet[index % 2] as TokenProvider).get()))
    expect(fetched).toBe(2)
  })

  it('is renewed before it expires, once for the fleet', async () => {
    const fleet = [provider(), provider()]
    await Promise.all(fleet.map((process) => process.get()))
    clockMs += 54 * MINUTE_MS
    expect(await fleet[0]?.get()).toBe('token-1')
    clockMs += 1.1 * MINUTE_MS
    const values = await Promise.all(
      Array.from({ length: 20 }, (_, index) => (fleet[index % 2] as TokenProvider).get()),
    )
    expect(fetched).toBe(2)
    expect(values).toContain('token-2')
  })

  it('of another credential with the same name is neither read, nor put in its place, nor given up', async () => {
    const victim = provider({ proof: 'k1.victim' })
    const attacker = provider({ credential: 'my own', proof: 'k1.attacker' })
    const [own, foreign] = [await victim.get(), await attacker.get()]
    expect(foreign).not.toBe(own)
    await attacker.invalidate(own)
    await attacker.invalidate(foreign)
    await attacker.get()
    expect(await provider({ proof: 'k1.victim' }).get()).toBe(own)
    expect(fetched).toBe(3)
  })

  it('stands in Redis under no hash of the credential alone', async () => {
    await provider({ proof: 'k1.keyed' }).get()
    const [key = ''] = await open('endless').keys('fanfare:token:*')
    const bare = createHash('sha256').update('fcm:demo\0the secret').digest('hex').slice(0, 32)
    expect(key).not.toContain(bare)
  })

  it('a thousand refusals of one token lead to one renewal', async () => {
    const fleet = [provider(), provider()]
    const [old = ''] = await Promise.all(fleet.map((process) => process.get()))
    await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const process = fleet[index % 2] as TokenProvider
        expect(await process.invalidate(old)).toBe(true)
        expect(await process.get()).toBe('token-2')
      }),
    )
    expect(fetched).toBe(2)
  })

  it('is not taken from another process that had it renewed meanwhile', async () => {
    const [one, other] = [provider(), provider()]
    const old = await one.get()
    await other.get()
    await one.invalidate(old)
    expect(await one.get()).toBe('token-2')
    // The second process still holds the old one; its refusal must not throw the new one away.
    expect(await other.invalidate(old)).toBe(true)
    expect(await other.get()).toBe('token-2')
    expect(fetched).toBe(2)
  })

  it('is not renewed when it is younger than the vendor allows', async () => {
    const apns = provider({ minAgeMs: 20 * MINUTE_MS })
    const old = await apns.get()
    expect(await apns.invalidate(old)).toBe(false)
    expect(await apns.get()).toBe(old)
    clockMs += 21 * MINUTE_MS
    expect(await apns.invalidate(old)).toBe(true)
    expect(await apns.get()).toBe('token-2')
  })

  it('is used to its end while the vendor gives no new one', async () => {
    let down = false
    const fails = provider({
      fetch: () => {
        if (down) return Promise.reject(new HttpError('HTTP 503', false))
        return Promise.resolve({ value: `token-${++fetched}`, expiresInMs: 60 * MINUTE_MS })
      },
    })
    await fails.get()
    down = true
    clockMs += 58 * MINUTE_MS
    expect(await fails.get()).toBe('token-1')
    clockMs += 3 * MINUTE_MS
    await expect(fails.get()).rejects.toThrow('HTTP 503')
    down = false
    expect(await fails.get()).toBe('token-2')
  })

  it('passes a refused credential on, and asks again the next time', async () => {
    const refused = provider({ fetch: () => Promise.reject(new ChannelError(`refused ${++fetched}`)) })
    await expect(refused.get()).rejects.toThrow('refused 1')
    await expect(refused.get()).rejects.toThrow('refused 2')
  })

  it('is still had while Redis is down', async () => {
    const alone = provider({ redis: open() })
    await redis.stop()
    expect(await alone.get()).toBe('token-1')
  })

  it('becomes one again after Redis was away while it was renewed', async () => {
    const shared = await provider().get()
    const late = provider({
      fetch: () => Promise.resolve({ value: 'own', expiresInMs: 60 * MINUTE_MS }),
      redis: broken(),
    })
    expect(await late.get()).toBe('own')
    clockMs += 6000
    await late.agree()
    expect(await late.get()).toBe(shared)
  })

  it('is shared by a process whose connection does not stand yet', async () => {
    const starting = open()
    expect(starting.status).not.toBe('ready')
    await provider({ redis: starting }).get()
    expect(await provider().get()).toBe('token-1')
  })

  it('lies sealed in Redis: neither token nor credential can be read there', async () => {
    await provider().get()
    const connection = open('endless')
    const [key = ''] = await connection.keys('fanfare:token:*')
    const dump = JSON.stringify(await connection.hgetall(key)) + key
    expect(dump).toContain('sealed')
    expect(dump).not.toContain('token-1')
    expect(dump).not.toContain('secret')
    expect(await connection.pttl(key)).toBeGreaterThan(50 * MINUTE_MS)
  })

  it('belongs to a credential: another one does not get it', async () => {
    await provider().get()
    expect(await provider({ credential: 'a new secret' }).get()).toBe('token-2')
  })
})
