import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { Limiter } from '@fanfare/core'
import { openPushers } from '@fanfare/platforms'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { openStore } from '@fanfare/storage'
import { tempDir } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bindUsers, message, type TestApi, type TestApp, testApi, timestampless, until, xiaomi } from './test-api.ts'

let simulator: Simulator
let api: TestApi
let app: TestApp
const CHANNEL = '2882303761517'

beforeAll(async () => {
  simulator = await startSimulator()
  const caFile = `${await tempDir('ca')}/ca.pem`
  await writeFile(caFile, simulator.caPem)
  api = await testApi({ config: { vendorUrl: simulator.url, vendorCa: caFile } })
  app = await api.app()
  await bindUsers(
    app,
    { fine: 'ok-1', dead: 'gone-1', refused: 'refused-1', down: 'down-1', silent: 'hang-1' },
    CHANNEL,
  )
})
afterAll(async () => {
  await api.close()
  await simulator.close()
})

const sync = (user: string, by = app) => by.call('POST', `push/sync/${user}`, { pushMessage: message() })
const dataOf = (body: Record<string, unknown>) => body['data'] as Record<string, unknown>[]
const taskOf = async (id: string | null, by = app) =>
  (await by.call('GET', `push/task/${id}`)).body['data'] as Record<string, unknown>

describe('POST push/sync/{target}', () => {
  it("answers SUCCESS with the vendor's raw reply, and the ledger says the same", async () => {
    const reply = await sync('fine')
    expect(reply.status).toBe(200)
    expect(timestampless(reply.body)).toEqual({
      data: [{ pushStatus: 'SUCCESS', data: expect.objectContaining({ code: 0 }) }],
    })
    expect(await taskOf(reply.headers.get('fanfare-task-id'))).toMatchObject({
      state: 'done',
      lane: 'sync',
      counts: { ASYNC_SUCCESS: 1, FAIL: 0, ERROR: 0, PENDING: 0 },
    })
  })

  it('answers FAIL for a dead token, removes it, and then knows no binding', async () => {
    const reply = await sync('dead')
    expect(timestampless(reply.body)).toEqual({ data: [{ pushStatus: 'FAIL', desc: 'bad device token' }] })
    expect(await taskOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ counts: { FAIL: 1 } })
    await until(async () => dataOf((await sync('dead')).body)[0]?.['desc'] === 'no push binding')
  })

  it('answers FAIL for nobody and for nobody bound, and keeps both in the ledger', async () => {
    const ghost = await sync('ghost')
    expect(timestampless(ghost.body)).toEqual({ data: [{ pushStatus: 'FAIL', desc: 'appUser not exists' }] })
    expect(await taskOf(ghost.headers.get('fanfare-task-id'))).toMatchObject({ state: 'done', counts: { FAIL: 1 } })
    await app.call('PUT', 'users/bare/push/binding', { device_id: 'd', notifier_name: CHANNEL, device_token: 'ok-9' })
    await app.call('PUT', 'users/bare/push/binding', { device_id: 'd', notifier_name: '', device_token: '' })
    expect(dataOf((await sync('bare')).body)).toEqual([{ pushStatus: 'FAIL', desc: 'no push binding' }])
  })

  it('answers FAIL where the vendor refuses the message and ERROR where it is down', async () => {
    expect(dataOf((await sync('refused')).body)).toEqual([{ pushStatus: 'FAIL', desc: expect.any(String) }])
    const down = await sync('down')
    expect(dataOf(down.body)).toEqual([{ pushStatus: 'ERROR', desc: expect.any(String) }])
    expect(await taskOf(down.headers.get('fanfare-task-id'))).toMatchObject({ counts: { ERROR: 1 }, state: 'done' })
  })

  it('answers ERROR within 10 s where the vendor never answers', async () => {
    const from = Date.now()
    const reply = await sync('silent')
    expect(Date.now() - from).toBeLessThan(10_000)
    expect(dataOf(reply.body)).toEqual([{ pushStatus: 'ERROR', desc: expect.any(String) }])
    expect(await taskOf(reply.headers.get('fanfare-task-id'))).toMatchObject({ counts: { ERROR: 1 }, state: 'done' })
  })

  it('answers one element per bound device', async () => {
    for (const [device_id, device_token] of [
      ['phone', 'ok-31'],
      ['tablet', 'gone-32'],
    ]) {
      await app.call('PUT', 'users/two/push/binding', { device_id, notifier_name: CHANNEL, device_token })
    }
    const items = dataOf((await sync('two')).body)
    expect(items).toHaveLength(2)
    expect(items.map(({ pushStatus }) => pushStatus).sort()).toEqual(['FAIL', 'SUCCESS'])
  })

  it('goes to the fifty devices of a user that were bound last', async () => {
    for (let device = 0; device <= 50; device++) {
      const bound = { device_id: `d${device}`, notifier_name: CHANNEL, device_token: `ok-many-${device}` }
      await app.call('PUT', 'users/many/push/binding', bound)
    }
    expect(dataOf((await sync('many')).body)).toHaveLength(50)
    expect([arrivals('ok-many-0'), arrivals('ok-many-1'), arrivals('ok-many-50')]).toEqual([0, 1, 1])
  })

  it('answers FAIL where the notifier is off or its credentials are refused', async () => {
    const own = await api.app()
    await bindUsers(own, { user: 'ok-1', denied: 'denied-1' }, 'off')
    await own.call('PATCH', 'notifiers/off', { disabled: true })
    expect(dataOf((await sync('user', own)).body)).toEqual([{ pushStatus: 'FAIL', desc: 'notifier disabled' }])
    await own.call('POST', 'notifiers/off/resume')
    expect(dataOf((await sync('user', own)).body)).toMatchObject([{ pushStatus: 'SUCCESS' }])
    expect(dataOf((await sync('denied', own)).body)).toEqual([{ pushStatus: 'FAIL', desc: 'invalid notifier' }])
  })

  it('answers FAIL where the master key is another than the one that sealed the credential', async () => {
    const storeUrl = `sqlite:${await tempDir('sealed')}/store.db`
    const first = await testApi({ storeUrl })
    const sealed = await first.app()
    await bindUsers(sealed, { user: 'ok-1' }, 'sealed')
    const { masterKey } = first.api.ctx.config
    await first.close()
    const errors: object[] = []
    const log = { info: () => undefined, warn: () => undefined, error: (fields: object) => void errors.push(fields) }
    const store = await openStore(storeUrl, { masterKey: randomBytes(32) })
    const second = await testApi({ config: { masterKey, vendorUrl: simulator.url }, overrides: { store, log } })
    const body = { pushMessage: message() }
    const reply = await second.ask('POST', `${sealed.path}/push/sync/user`, { token: sealed.token, body })
    expect(dataOf(reply.body)).toEqual([{ pushStatus: 'FAIL', desc: 'invalid notifier' }])
    expect(errors).toMatchObject([
      { alert: 'channel-unopened', platform: 'xiaomi', error: expect.stringMatching(/^SealError/) },
    ])
    await second.close()
  })

  it('goes through the pusher as it is now, where the notifier was changed while the permit was waited for', async () => {
    const masterKey = randomBytes(32)
    const store = await openStore('sqlite::memory:', { masterKey })
    const credentialOf = (channelId: string) => store.channels.credential(channelId)
    const pushers = openPushers({ credentialOf, vendorUrl: simulator.url, ca: simulator.caPem })
    const limiter: Limiter = {
      take: async (channel) => {
        pushers.drop(channel.id)
        return { units: 1, answered: () => undefined, unused: () => undefined }
      },
      slowDown: () => Promise.resolve(),
      carry: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
    const other = await testApi({ config: { masterKey }, overrides: { store, pushers, limiter } })
    const own = await other.app()
    await bindUsers(own, { user: 'ok-1' }, 'changed')
    expect(dataOf((await sync('user', own)).body)).toMatchObject([{ pushStatus: 'SUCCESS' }])
    await other.close()
    await pushers.close()
  })
})

describe('POST push/single with async false', () => {
  const one = (more: object, headers?: Record<string, string>) =>
    app.call('POST', 'push/single', { async: false, pushMessage: message(), ...more }, headers)

  it("answers the vendor's result with the id", async () => {
    const reply = await one({ targets: ['Fine'] })
    expect(dataOf(reply.body)).toEqual([{ id: 'Fine', pushStatus: 'SUCCESS', data: expect.any(Object) }])
    expect(dataOf((await one({ targets: ['ghost'] })).body)).toEqual([
      { id: 'ghost', pushStatus: 'FAIL', desc: 'appUser not exists' },
    ])
  })

  it('sends once under one Idempotency-Key and replays the result', async () => {
    await app.call('PUT', 'users/once/push/binding', {
      device_id: 'd',
      notifier_name: CHANNEL,
      device_token: 'ok-once',
    })
    const first = await one({ targets: ['once'] }, { 'Idempotency-Key': 'sync-1' })
    const again = await one({ targets: ['once'] }, { 'Idempotency-Key': 'sync-1' })
    expect([again.text, again.headers.get('idempotent-replayed')]).toEqual([first.text, 'true'])
    const other = await one({ targets: ['fine'] }, { 'Idempotency-Key': 'sync-1' })
    expect(other.status).toBe(422)
    expect(arrivals('ok-once')).toBe(1)
  })

  it('answers 409 while the first is still under way', async () => {
    await app.call('PUT', 'users/slow/push/binding', {
      device_id: 'd',
      notifier_name: CHANNEL,
      device_token: 'slow-1500-x',
    })
    const first = one({ targets: ['slow'] }, { 'Idempotency-Key': 'sync-2' })
    await until(() => arrivals('slow-1500-x') === 1)
    const second = await one({ targets: ['slow'] }, { 'Idempotency-Key': 'sync-2' })
    expect([second.status, second.headers.get('retry-after')]).toEqual([409, '1'])
    expect(second.body).toMatchObject({ exception: 'IdempotencyConflictException' })
    expect(dataOf((await first).body)).toMatchObject([{ pushStatus: 'SUCCESS' }])
    expect(arrivals('slow-1500-x')).toBe(1)
  })
})

describe('limits of a synchronous push', () => {
  it('waits for its permit, and answers ERROR where Redis gives none', async () => {
    const own = await api.app()
    await own.call('POST', 'notifiers', { ...xiaomi('tight'), limits: { rate: 2, perMs: 500 } })
    await own.call('PUT', 'users/u/push/binding', { device_id: 'd', notifier_name: 'tight', device_token: 'ok-tight' })
    const from = Date.now()
    const replies = await Promise.all(Array.from({ length: 6 }, () => sync('u', own)))
    for (const { body } of replies) expect(dataOf(body)).toMatchObject([{ pushStatus: 'SUCCESS' }])
    expect(Date.now() - from).toBeGreaterThan(900)
  })
})

const arrivals = (token: string): number => simulator.journal.arrivalsOf('xiaomi', token).length
