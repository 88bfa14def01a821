import { writeFile } from 'node:fs/promises'
import type { Store } from '@fanfare/core'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { openStore } from '@fanfare/storage'
import { startMongo, tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { instantOf } from '../src/wire/start-date.ts'
import { bindUsers, message, type TestApi, type TestApp, testApi, until } from './test-api.ts'

// SecantusDB is slow, and the machine may be busy.
jest.setTimeout(60_000)

const BEHIND_MS = 60_000
const MASTER_KEY = Buffer.alloc(32, 7)
const mongo = await startMongo()
const run = mongo ? describe : describe.skip

/** This process's time of day, `BEHIND_MS` behind that of the store's server. */
const RealDate = Date
class LateDate extends RealDate {
  constructor(...given: unknown[]) {
    super(...((given.length > 0 ? given : [LateDate.now()]) as [number]))
  }
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof RealDate
  }
  static override now(): number {
    return RealDate.now() - BEHIND_MS
  }
}

/** As if the sweeper had given the chunks of the next write up. */
let robs = false
const robbing = (store: Store): Store => ({
  ...store,
  chunks: {
    ...store.chunks,
    async write(writes) {
      const gone = robs ? writes.map((write) => ({ ...write, outcomes: [[0, 'unknown', 'abandoned'] as const] })) : []
      robs = false
      await store.chunks.write(gone)
      return store.chunks.write(writes)
    },
  },
})

run('an API whose clock is a minute behind that of the store', () => {
  let simulator: Simulator
  let api: TestApi
  let app: TestApp

  beforeAll(async () => {
    // Opened before, for Mongoose wants Date itself in its schemas.
    const store = await openStore(mongo?.url ?? '', { masterKey: MASTER_KEY })
    globalThis.Date = LateDate as DateConstructor
    simulator = await startSimulator()
    const caFile = `${await tempDir('clock')}/ca.pem`
    await writeFile(caFile, simulator.caPem)
    const config = { masterKey: MASTER_KEY, vendorUrl: simulator.url, vendorCa: caFile, storeUrl: mongo?.url ?? '' }
    api = await testApi({ config, overrides: { store: robbing(store) } })
    app = await api.app()
    await bindUsers(app, { slow: 'slow-1500-x', robbed: 'slow-1500-y' })
  })
  afterAll(async () => {
    globalThis.Date = RealDate
    await api?.close()
    await simulator?.close()
    await mongo?.stop()
  })

  const arrived = (token: string) => until(() => simulator.journal.arrivalsOf('xiaomi', token).length === 1, 30_000)
  const countsOf = async (id: string | null) =>
    ((await app.call('GET', `push/task/${id}`)).body['data'] as Record<string, unknown>)['counts']
  const storeNow = async () => (await api.store.now()).getTime()

  it('holds the lease of a synchronous push as long as it should: answer and ledger agree', async () => {
    expect((await storeNow()) - Date.now()).toBeGreaterThan(BEHIND_MS - 10_000)
    const pushing = app.call('POST', 'push/sync/slow', { pushMessage: message() })
    await arrived('slow-1500-x')
    await api.store.chunks.abandonSync(100)
    const reply = await pushing
    expect(reply.body['data']).toMatchObject([{ pushStatus: 'SUCCESS' }])
    expect(await countsOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ ASYNC_SUCCESS: 1, ERROR: 0 })
  })

  it('tells the caller what the ledger says where its lease was lost all the same', async () => {
    robs = true
    const reply = await app.call('POST', 'push/sync/robbed', { pushMessage: message() })
    expect(reply.body['data']).toMatchObject([{ pushStatus: 'ERROR', desc: 'abandoned' }])
    expect(await countsOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ ASYNC_SUCCESS: 0, ERROR: 1 })
  })

  it('writes the instants of tasks by the clock of the store, and judges a startDate by it', async () => {
    const before = await storeNow()
    const reply = await app.call('POST', 'push/task', { pushMessage: message() })
    const [task] = await api.store.tasks.byIds([reply.headers.get('fanfare-task-id') ?? ''])
    expect(task?.createdAt.getTime()).toBeGreaterThan(before - 10_000)
    const wall = new RealDate(before - 10_000).toISOString().slice(0, 19).replace('T', ' ')
    expect(instantOf(wall, 'UTC')?.getTime()).toBeGreaterThan(Date.now())
    const past = await app.call('POST', 'push/task', { pushMessage: message(), startDate: wall })
    expect([past.status, past.body['error_description']]).toEqual([
      400,
      expect.stringContaining('must be in the future'),
    ])
  })
})
