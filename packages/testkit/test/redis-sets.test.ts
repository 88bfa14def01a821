import { type Connection, connect, identityOf, serverOf } from '@fanfare/redis'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { testConfig } from '../src/config.ts'
import { type RedisForm, type RedisSet, startRedisSet } from '../src/services.ts'

jest.setTimeout(120_000)

let set: RedisSet | undefined
let redis: Connection | undefined
afterEach(async () => {
  redis?.disconnect()
  await set?.stop()
  set = undefined
})

const until = async <T>(what: string, ask: () => Promise<T | undefined>): Promise<T> => {
  const deadline = performance.now() + 60_000
  for (;;) {
    const answer = await ask().catch(() => undefined)
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const KEY = '{some}:key'

describe.each<RedisForm>(['sentinel', 'cluster'])('a %s set', (form) => {
  it('goes on with a replica where a master is killed or stands still, and a connection goes with it', async () => {
    set = await startRedisSet(form)
    const connection = connect(set.url, 'short')
    redis = connection
    for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
      await until('a write is taken', () => connection.set(KEY, signal))
      const server = serverOf(connection, KEY)
      const identity = server && (await identityOf(server))
      const masters = await set.masters()
      const master = masters.find(({ port }) => port === server?.options.port) ?? masters[0]
      await set.settled()
      await master?.kill(signal)
      expect(await until('another one answers', () => newIdentity(connection, identity))).not.toBe(identity)
      expect(await until('what was kept is read', async () => (await connection.get(KEY)) ?? undefined)).toBe(signal)
      if (signal === 'SIGSTOP') await master?.kill('SIGCONT')
      else await master?.restart()
      await set.settled()
    }
  })
})

async function newIdentity(connection: Connection, old: string | undefined): Promise<string | undefined> {
  const server = serverOf(connection, KEY)
  const identity = server && (await identityOf(server))
  return identity === old ? undefined : identity
}

it('knows the names of FANFARE_REQUIRE, and no others', () => {
  expect(testConfig({ FANFARE_REQUIRE: 'mongo, redis-cluster' }).required).toEqual(['mongo', 'redis-cluster'])
  expect(testConfig({}).required).toEqual([])
  expect(() => testConfig({ FANFARE_REQUIRE: 'mongo,redis' })).toThrow('FANFARE_REQUIRE names redis, which is none of')
})
