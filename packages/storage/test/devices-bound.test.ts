import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import type { Binding } from '@fanfare/core'
import { tempDir } from '@fanfare/testkit'
import { afterAll, describe, expect, it, jest } from '@jest/globals'
import { openStore } from '../src/index.ts'
import { mongoFor } from './open-mongo.ts'

// SecantusDB is slow, and the machine may be busy.
jest.setTimeout(60_000)

const masterKey = randomBytes(32)
const LEGACY = 1200
const MOST = 50
const [APP, CHANNEL] = ['1', '2']

type Opened = Awaited<ReturnType<typeof openStore>>

async function bindings(store: Opened, userId: string, devices: readonly string[]): Promise<Binding[]> {
  const first = await store.takeIds(devices.length)
  return devices.map((deviceId, index) => {
    const id = String(first + index)
    return { id, appId: APP, channelId: CHANNEL, userId, deviceId, token: `ok-${id}` }
  })
}

/** A user who was bound more often than the bound allows, by a version that had none; and a store that has it. */
async function withLegacyUser(url: string): Promise<Opened> {
  const unbounded = await openStore(url, { masterKey, maxDevicesPerUser: 100_000 })
  await unbounded.devices.bind(
    await bindings(
      unbounded,
      'legacy',
      Array.from({ length: LEGACY }, (_, index) => `d${index}`),
    ),
  )
  await unbounded.devices.bind(await bindings(unbounded, 'other', ['phone']))
  await unbounded.close()
  return openStore(url, { masterKey, maxDevicesPerUser: MOST })
}

function boundCases(urlOf: () => Promise<string>): void {
  it('is read bounded, holds up nobody who is asked for with it, and shrinks with the next bindings', async () => {
    const store = await withLegacyUser(await urlOf())
    const lengths = async (...users: string[]) =>
      (await store.devices.ofUsers(users.map((userId) => ({ appId: APP, userId })))).map((devices) => devices.length)
    expect(await lengths('legacy')).toEqual([MOST])
    expect(await lengths('other', 'legacy', 'nobody', 'legacy')).toEqual([1, MOST, 0, MOST])
    const [more] = await bindings(store, 'legacy', ['more'])
    if (!more) throw new Error('no binding')
    await store.devices.bind([more])
    expect(await store.devices.count(CHANNEL)).toBeLessThan(LEGACY / 2)
    await store.devices.bind([{ ...more, token: 'again' }])
    expect(await store.devices.count(CHANNEL)).toBe(MOST + 1)
    expect(await store.devices.tokens([more.id])).toEqual(['again'])
    expect(await lengths('other')).toEqual([1])
    await store.close()
  })
}

const mongo = await mongoFor(false)
if (mongo) {
  describe('a user with devices from before there was a bound, in MongoDB', () => {
    afterAll(() => mongo.stop())
    boundCases(() => Promise.resolve(mongo.url))
  })
} else it.skip('a user with devices from before there was a bound, in MongoDB', () => undefined)

describe('a user with devices from before there was a bound, in SQLite', () => {
  let dir = ''
  afterAll(() => rm(dir, { recursive: true, force: true }))
  boundCases(async () => {
    dir = await tempDir('bound')
    return `sqlite:${dir}/bound.db`
  })
})
