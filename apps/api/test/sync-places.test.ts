import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { openAddressGuard, readAllowedAddresses } from '@fanfare/platforms'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { tempDir } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { SharedSyncPlaces } from '../src/limits/sync-places.ts'
import { bindUsers, message, type Reply, type TestApi, type TestApp, testApi, until, xiaomi } from './test-api.ts'

/** More than twice what a channel may have of the places. */
const FLOOD = 220
/** All requests of an API process, of which six in ten may be synchronous pushes at a vendor. */
const A_THIRD = 100
const FEW_REFUSED = (FLOOD - A_THIRD) / 2

let simulator: Simulator
let silent: Server
const sockets: Socket[] = []
let api: TestApi
let attacker: TestApp
let victim: TestApp

beforeAll(async () => {
  simulator = await startSimulator()
  silent = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const caFile = `${await tempDir('ca')}/ca.pem`
  await writeFile(caFile, simulator.caPem)
  const allowed = readAllowedAddresses(`127.0.0.1:${simulator.smtp.port},127.0.0.1:${silentPort()}`)
  const guard = openAddressGuard({ allowed, resolve: () => Promise.resolve(['127.0.0.1']) })
  api = await testApi({ config: { vendorUrl: simulator.url, vendorCa: caFile }, overrides: { guard } })
  attacker = await api.app()
  victim = await api.app()
  await bindUsers(victim, { alice: 'ok-alice' })
})
afterEach(() => simulator.reset())
afterAll(async () => {
  await api.close()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
  await simulator.close()
})

const silentPort = () => (silent.address() as AddressInfo).port
const sync = (by: TestApp, user: string) => by.call('POST', `push/sync/${user}`, { pushMessage: message() })
const statusOf = ({ body }: Reply) =>
  (body['data'] as { pushStatus: string }[] | undefined)?.map((one) => one.pushStatus)
const refused = (replies: readonly Reply[]) => replies.filter(({ status }) => status !== 200)

/** Sends the flood; `answers` grows as they come. */
function flood(user: string, count = FLOOD): { answers: Reply[]; done: Promise<unknown> } {
  const answers: Reply[] = []
  const one = async () => void answers.push(await sync(attacker, user))
  return { answers, done: Promise.all(Array.from({ length: count }, one)) }
}

async function victimIsServed(): Promise<void> {
  const replies = await Promise.all(Array.from({ length: 20 }, () => sync(victim, 'alice')))
  expect(replies.map(statusOf)).toEqual(replies.map(() => ['SUCCESS']))
}

describe('one app that floods synchronous pushes', () => {
  it('to a slow vendor is refused alone', async () => {
    await bindUsers(attacker, { slow: 'slow-6000-x' }, 'slow')
    const { answers, done } = flood('slow')
    await until(() => answers.length >= FEW_REFUSED)
    await victimIsServed()
    await done
    // On a busy machine the first may be answered before the last have come: then these find a place.
    expect(refused(answers).length).toBeGreaterThanOrEqual(FEW_REFUSED)
    expect(refused(answers).length).toBeLessThanOrEqual(FLOOD - A_THIRD)
    for (const { status, headers } of refused(answers)) {
      expect([status, headers.get('retry-after')]).toEqual([429, '1'])
    }
    const { length: arrived } = simulator.journal.arrivalsOf('xiaomi', 'slow-6000-x')
    expect(arrived).toBeLessThanOrEqual(FLOOD - refused(answers).length)
  })

  it('to a slow vendor leaves room for its own other channels', async () => {
    await bindUsers(attacker, { slow: 'slow-4000-y' }, 'slow')
    await bindUsers(attacker, { quick: 'ok-quick' }, 'quick')
    const { answers, done } = flood('slow')
    await until(() => refused(answers).length > 0)
    expect(statusOf(await sync(attacker, 'quick'))).toEqual(['SUCCESS'])
    await done
  })

  it('beyond its permits holds no place while it waits', async () => {
    await attacker.call('POST', 'notifiers', { ...xiaomi('tight'), limits: { rate: 1, perMs: 3000 } })
    await bindUsers(attacker, { tight: 'ok-tight' }, 'tight')
    await bindUsers(attacker, { quick: 'ok-quick' }, 'quick')
    const { done } = flood('tight')
    await until(() => simulator.journal.arrivalsOf('xiaomi', 'ok-tight').length > 0)
    await victimIsServed()
    expect(statusOf(await sync(attacker, 'quick'))).toEqual(['SUCCESS'])
    await done
  })

  it('to a mail server that never greets leaves the mail of others alone, and is soon answered without it', async () => {
    const mail = (host: string, port: number) => ({
      ...{ name: 'mail', provider: 'EMAIL', certificate: 'pw' },
      emailSettings: { host, port, security: 'none', from: 'news@example.com' },
    })
    const bound = { device_id: 'd', notifier_name: 'mail', device_token: 'ok-1@example.com' }
    await attacker.call('POST', 'notifiers', mail('mail.attacker.example', silentPort()))
    await victim.call('POST', 'notifiers', mail('mail.victim.example', simulator.smtp.port))
    await attacker.call('PUT', 'users/m/push/binding', bound)
    await victim.call('PUT', 'users/m/push/binding', bound)
    const { answers, done } = flood('m')
    await until(() => sockets.length > 0 && refused(answers).length > 0)
    expect(statusOf(await sync(victim, 'm'))).toEqual(['SUCCESS'])
    await done
    expect(sockets.length).toBeLessThanOrEqual(5)
    expect(answers.filter(({ status }) => status === 200).map(statusOf)).toContainEqual(['ERROR'])
    const from = performance.now()
    expect(statusOf(await sync(attacker, 'm'))).toEqual(['ERROR'])
    expect(performance.now() - from).toBeLessThan(4000)
  })
})

describe('places of synchronous pushes', () => {
  const enter = (places: SharedSyncPlaces, appId: string, channelId = appId) => places.enter(appId, [channelId])[0]
  /** How many one after the other are taken. */
  const fill = (places: SharedSyncPlaces, appId: string, channelOf = (_: number) => appId) => {
    for (let count = 0; ; count++) {
      try {
        places.enter(appId, [channelOf(count)])
      } catch {
        return count
      }
    }
  }

  it('are a third for a channel alone, half for an app alone, a quarter beside others', () => {
    expect(fill(new SharedSyncPlaces(500), 'a')).toBe(100)
    expect(fill(new SharedSyncPlaces(500), 'a', String)).toBe(150)
    const places = new SharedSyncPlaces(500)
    enter(places, 'b')
    expect(fill(places, 'a')).toBe(75)
    expect(fill(places, 'c')).toBeGreaterThan(50)
  })

  it('are found by whoever comes, though many apps take all they can', () => {
    const places = new SharedSyncPlaces(500)
    for (let app = 0; app < 10; app++) expect(fill(places, `app-${app}`)).toBeGreaterThan(0)
    expect(enter(places, 'victim')).toBeDefined()
  })

  it('are taken all or none', () => {
    const places = new SharedSyncPlaces(10)
    expect(() => places.enter('a', ['1', '2', '3', '4', '5', '6'])).toThrow(
      expect.objectContaining({ code: 'REACH_LIMIT' }),
    )
    expect(fill(places, 'a')).toBe(fill(new SharedSyncPlaces(10), 'a'))
  })

  it('are free while their holder waits for a permit, and back only when there is one', () => {
    const places = new SharedSyncPlaces(15)
    const first = enter(places, 'a')
    const before = fill(places, 'a')
    first?.rest()
    const second = enter(places, 'a')
    expect(first?.resume()).toBe(false)
    second?.leave()
    expect(first?.resume()).toBe(true)
    first?.leave()
    first?.leave()
    expect(before).toBeGreaterThan(0)
    expect(fill(places, 'a')).toBe(1)
  })
})
