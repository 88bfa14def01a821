import { generateKeyPairSync } from 'node:crypto'
import type { Channel, ChannelSettings, Store } from '@fanfare/core'
import { apnsToken } from '@fanfare/simulator'
import { notifierBody, startMongo } from '@fanfare/testkit'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Rig, tokens } from './rig.ts'

jest.setTimeout(60_000)

/** What a hostile vendor may call its reason, and how it is kept. */
const REASONS: readonly (readonly [said: string, kept: string])[] = [
  ['constructor', 'constructor'],
  ['__proto__', '__proto__'],
  ['toString', 'toString'],
  ['\ud800lone\udc00', '\ufffdlone\ufffd'],
  ['nul\0 and\nline', 'nul\ufffd and\ufffdline'],
  ['$where.a.b', '$where.a.b'],
  ['x'.repeat(60_000), 'x'.repeat(200)],
]
/** APNs' pusher keeps 80 characters of a reason, FCM's names the field it says. */
const BY_VENDOR = {
  apns: (kept: string) => kept.slice(0, 80),
  fcm: (kept: string) => `INVALID_ARGUMENT: ${kept.slice(0, 80)}`,
  huawei: (kept: string) => kept,
}
type Vendor = keyof typeof BY_VENDOR

const mongo = await startMongo()
const STORES = [['SQLite', undefined] as const, ...(mongo ? [['MongoDB', mongo.url] as const] : [])]

afterAll(() => mongo?.stop())

describe.each(STORES)('reasons of a hostile vendor on %s', (_, url) => {
  let rig: Rig
  beforeAll(async () => {
    rig = await Rig.start(url)
    await rig.worker()
  })
  afterAll(() => rig.stop())

  it.each(['apns', 'huawei', 'fcm'] as const)('keeps each of %s once and repeats nobody’s push', async (vendor) => {
    const attacker = await channelOf(rig, vendor)
    const bad = await rig.devices(attacker, tokensOf(vendor, REASONS.length))
    const victim = await rig.channel('xiaomi')
    for (const [index, [said, kept]] of REASONS.entries()) {
      rig.simulator.reset()
      rig.simulator.faults.set({ vendor, kind: 'code', code: said })
      const good = await rig.devices(victim, tokens(`ok-${vendor}-${index}`, 10))
      const theirs = await rig.task(attacker, [bad[index] ?? ''])
      const mine = await Promise.all(good.map((device) => rig.task(victim, [device])))
      await Promise.all([rig.enqueue(attacker, [theirs]), rig.enqueue(victim, mine)])
      for (const task of mine) expect(await rig.outcomes(task)).toEqual({ sent: 1 })
      expect(await rig.outcomes(theirs)).toEqual({ rejected: 1 })
      const [counts] = await rig.store.tasks.counts(theirs)
      expect(Object.entries(counts?.byReason ?? {})).toEqual([[BY_VENDOR[vendor](kept), 1]])
      expect(rig.simulator.journal.counts('xiaomi')).toMatchObject({ accepted: 10, duplicates: 0, arrivals: 10 })
      expect(rig.simulator.journal.counts(vendor).arrivals).toBe(1)
    }
  })

  it('keeps what was sent beside a chunk that the ledger cannot take', async () => {
    const channel = await rig.channel('xiaomi')
    const devices = await rig.devices(channel, tokens('ok-unwritable', 10))
    const tasks = await Promise.all(devices.map((device) => rig.task(channel, [device])))
    await rig.stopWorkers()
    rig.simulator.reset()
    await rig.worker({ store: throwingFor(rig.store, tasks[3] ?? '') })
    await rig.enqueue(channel, tasks)
    const outcomes = []
    for (const task of tasks) outcomes.push(await rig.outcomes(task))
    expect(outcomes).toEqual(tasks.map((_, index) => (index === 3 ? { unknown: 1 } : { sent: 1 })))
    expect(rig.simulator.journal.counts('xiaomi')).toMatchObject({ accepted: 10, duplicates: 0 })
    expect(rig.logged.filter((line) => line['alert'] === 'ledger')).toMatchObject([{ taskId: tasks[3] }])
  })
})

/** A ledger that throws at the results of one task, whatever stands beside them. */
function throwingFor(store: Store, taskId: string): Store {
  const write: Store['chunks']['write'] = async (writes) => {
    if (writes.some((item) => item.taskId === taskId && item.outcomes?.length)) throw new TypeError('not a function')
    return store.chunks.write(writes)
  }
  return { ...store, chunks: { ...store.chunks, write } }
}

const tokensOf = (vendor: Vendor, count: number): string[] =>
  vendor === 'apns' ? Array.from({ length: count }, (_, n) => apnsToken('ok', n)) : tokens('ok-odd', count)

async function channelOf(rig: Rig, vendor: Vendor): Promise<Channel> {
  if (vendor === 'fcm') return rig.channel('fcm')
  const { appId, id } = { appId: await rig.app(), id: await rig.id() }
  const [credential, settings] = vendor === 'apns' ? apns(id) : huawei(id)
  const limits = { rate: 0, unit: 'token' as const, perMs: 1000 }
  await rig.store.channels.insert({ id, appId, platform: vendor, name: `channel-${id}`, limits, settings }, credential)
  const [channel] = await rig.store.channels.byIds([id])
  if (!channel) throw new Error('the channel is not there')
  return channel
}

const apns = (id: string): [string, ChannelSettings] => [
  notifierBody('apns', id).certificate,
  { keyId: 'ABCDE12345', teamId: `TEAM${id}`, bundleId: 'org.example.demo' },
]

/** HarmonyOS: only there does a reason have a name. */
function huawei(id: string): [string, ChannelSettings] {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const account = { key_id: 'k', sub_account: 's', project_id: `p${id}`, private_key: privateKey }
  return [JSON.stringify(account), { apiVersion: '3' }]
}
