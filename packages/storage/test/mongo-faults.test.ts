import { type NewTask, type Store, StoreDownError } from '@fanfare/core'
import { type Make, members } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import type { Connection } from 'mongoose'
import { openStore } from '../src/index.ts'
import type { LossyProxy } from './lossy-proxy.ts'
import { MASTER_KEY, mongoFor, openLossy } from './open-mongo.ts'

jest.setTimeout(60_000)

const replicaSet = await mongoFor(false)
const standalone = await mongoFor(true)

for (const [name, mongo] of [
  ['a replica set', replicaSet],
  ['a standalone server', standalone],
] as const) {
  const run = mongo ? describe : describe.skip
  run(`MongoDB faults on ${name}`, () => {
    const url = mongo?.url ?? ''
    let store: Store
    let lossy: Store
    let proxy: LossyProxy
    let make: Make
    let raw: Connection
    let close: () => Promise<void>

    beforeAll(async () => {
      ;({ proxy, store, lossy, raw, make, close } = await openLossy(url))
    })
    afterAll(async () => {
      await close()
      await mongo?.stop()
    })
    afterEach(() => proxy.up())

    const chunkOf = async (taskId: string, seq = 0) => (await store.chunks.byRefs([{ taskId, seq }]))[0]

    it('applies a write once whose reply was lost (T42)', async () => {
      const { ref } = await make.claimed(await make.channel(), 2)
      const before = proxy.lost
      proxy.loseNext('reply', ['update', 'chunks', 'rev'])
      const nextAt = new Date(Date.now() + 60_000)
      const outcomes = [[0, 'sent']] as const
      const write = { ...ref, fence: 1, outcomes, state: 'queued' as const, nextAt, countTry: true }
      expect(await lossy.chunks.write([write])).toEqual([true])
      expect(proxy.lost).toBe(before + 1)
      expect(await chunkOf(ref.taskId)).toMatchObject({ state: 'queued', tries: 1, outcomes: ['sent', 'unsent'] })
      expect(await lossy.chunks.write([write])).toEqual([false])
    })

    it('claims once where the reply to the claim was lost, for the claimer that asked', async () => {
      const ref = await make.chunk(await make.channel(), 1)
      proxy.loseNext('reply', ['update', 'chunks', 'rev'])
      const [claimed] = await lossy.chunks.claim([ref], 60_000, 1)
      expect(claimed?.chunk).toMatchObject({ fence: 1, starts: 1 })
      expect(await chunkOf(ref.taskId)).toMatchObject({ fence: 1, starts: 1 })
      expect(await store.chunks.claim([ref], 60_000, 1)).toEqual([undefined])
    })

    it.each([
      ['tasks', 'audience'],
      ['chunks', 'outcomes'],
    ])('creates a task once where a reply was lost (%s)', async (...marks) => {
      const channel = await make.channel()
      const task = await make.task({ appId: channel.appId })
      const item: NewTask = { task, chunks: [{ seq: 0, channelId: channel.id, members: members(3) }] }
      const before = proxy.lost
      proxy.loseNext('reply', ['insert', ...marks])
      expect(await lossy.tasks.create([item])).toEqual(['created'])
      expect(proxy.lost).toBe(before + 1)
      expect(await lossy.tasks.create([item])).toEqual(['created'])
      expect((await store.tasks.counts(task.id))[0]?.total).toBe(3)
    })

    it('writes 999 of 1,000 tasks where one has a taken key (T44)', async () => {
      const channel = await make.channel()
      const items: NewTask[] = []
      for (let index = 0; index <= 1000; index++) {
        const task = await make.task({ appId: channel.appId, lane: 'single' })
        items.push({ task, chunks: [{ seq: 0, channelId: channel.id, members: members(1) }] })
      }
      const key = { key: 'taken', fingerprint: 'f' }
      const [first, odd] = [items.shift(), items[500]]
      if (!first || !odd) throw new Error('no items')
      await store.tasks.create([{ ...first, idempotency: key }])
      odd.idempotency = { ...key, fingerprint: 'g' }
      const results = await store.tasks.create(items)
      expect(results.filter((result) => result === 'created')).toHaveLength(999)
      expect(results[500]).toEqual({ taken: { fingerprint: 'f', taskId: first.task.id } })
      const found = await store.tasks.byIds(items.map((item) => item.task.id))
      expect(found.filter((task) => task !== undefined)).toHaveLength(999)
      expect(await raw.collection('chunks').countDocuments({ taskId: Number(odd.task.id) })).toBe(0)
    })

    it('does not claim a chunk whose task never came, and removes it', async () => {
      const channel = await make.channel()
      const task = await make.task({ appId: channel.appId })
      const item: NewTask = { task, chunks: [{ seq: 0, channelId: channel.id, members: members(1) }] }
      proxy.loseNext('request', ['insert', 'tasks', 'audience'], true)
      const error = await lossy.tasks.create([item]).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreDownError)
      expect(error).toMatchObject({ nothingWritten: false })
      proxy.up()
      const rows = raw.collection('chunks')
      const mine = { taskId: Number(task.id) }
      expect(await rows.countDocuments(mine)).toBe(1)
      const ref = { taskId: task.id, seq: 0, gen: 0 }
      expect(await store.chunks.claim([ref], 1000, 1)).toEqual([undefined])
      expect(await chunkOf(task.id)).toBeUndefined()
      expect((await store.chunks.lost(-1000, 1000)).filter((lost) => lost.taskId === task.id)).toEqual([])
      await store.chunks.removeOrphans(1000)
      expect(await rows.countDocuments(mine)).toBe(1)
      await rows.updateOne(mine, { $set: { wakeAt: new Date(Date.now() - 61_000) } })
      expect(await store.chunks.removeOrphans(1000)).toBe(1)
      expect(await rows.countDocuments(mine)).toBe(0)
    })

    it('knows for certain that it accepted nothing where the chunks could not be written', async () => {
      const channel = await make.channel()
      const task = await make.task({ appId: channel.appId })
      const item: NewTask = { task, chunks: [{ seq: 0, channelId: channel.id, members: members(1) }] }
      proxy.loseNext('reply', ['insert', 'chunks', 'openTask'], true)
      await expect(lossy.tasks.create([item])).rejects.toMatchObject({ name: 'StoreDownError', nothingWritten: true })
      proxy.up()
      expect(await store.tasks.byIds([task.id])).toEqual([undefined])
    })

    it('commits no task whose chunks were given up meanwhile (a process that was suspended for over a minute)', async () => {
      const channel = await make.channel()
      const key = { key: `suspended ${name}`, fingerprint: 'f' }
      const taskOf = async (): Promise<NewTask> => {
        const task = await make.task({ appId: channel.appId })
        return { task, chunks: [{ seq: 0, channelId: channel.id, members: members(1) }], idempotency: key }
      }
      const item = await taskOf()
      const arrived = proxy.holdNext(['insert', 'tasks', 'audience'])
      const creating = lossy.tasks.create([item])
      const release = await arrived
      const rows = raw.collection('chunks')
      const mine = { taskId: Number(item.task.id) }
      await rows.updateOne(mine, { $set: { wakeAt: new Date(Date.now() - 61_000) } })
      expect(await store.chunks.removeOrphans(1000)).toBe(1)
      release()
      await expect(creating).rejects.toThrow(StoreDownError)
      expect(await store.tasks.byIds([item.task.id])).toEqual([undefined])
      expect(await rows.countDocuments(mine)).toBe(0)
      const again = await taskOf()
      expect(await store.tasks.create([again])).toEqual(['created'])
      expect(await store.tasks.byKey(channel.appId, key.key)).toMatchObject({ taskId: again.task.id })
      expect(await store.chunks.claim([{ taskId: again.task.id, seq: 0, gen: 0 }], 1000, 1)).toMatchObject([{}])
    })

    it('removes the chunks of a task that was given up by a process that died before it removed them', async () => {
      const channel = await make.channel()
      const item = await make.chunk(channel, 1)
      const [rows, tasks] = [raw.collection('chunks'), raw.collection('tasks')]
      const mine = { taskId: Number(item.taskId) }
      await tasks.deleteOne({ _id: mine.taskId as never })
      await rows.updateOne(mine, { $set: { wakeAt: new Date(Date.now() - 61_000) } })
      proxy.loseNext('request', ['delete', 'chunks'], true)
      await expect(lossy.chunks.removeOrphans(1000)).rejects.toThrow(StoreDownError)
      proxy.up()
      expect(await rows.countDocuments(mine)).toBe(1)
      expect(await store.chunks.removeOrphans(1000)).toBe(1)
      expect(await rows.countDocuments(mine)).toBe(0)
    })

    it('counts nothing of a page that its planner did not commit; the next planner replaces it', async () => {
      const channel = await make.channel()
      const range = { channelId: channel.id, seqBase: 0, cursor: '0', planned: 0, done: false }
      const plan = { upToDeviceId: '9', ranges: [range], complete: false }
      const task = await make.task({ appId: channel.appId, state: 'planning', plan })
      await store.tasks.create([{ task, chunks: [] }])
      const pageOf = (sizes: number[], from: number) =>
        sizes.map((size, seq) => ({ seq, channelId: channel.id, members: members(size, from) }))
      proxy.loseNext('request', ['update', 'ranges', 'planned'], true)
      const crashed = { chunks: pageOf([4, 4, 4], 1), cursor: '12', done: false }
      await expect(lossy.tasks.addPlanned(task.id, 0, '0', crashed)).rejects.toThrow(StoreDownError)
      proxy.up()
      expect(await raw.collection('chunks').countDocuments({ taskId: Number(task.id) })).toBe(3)
      expect(await store.tasks.counts(task.id)).toEqual([])
      expect(await store.chunks.promote(channel.id, 10)).toEqual([])
      expect(await store.chunks.ofTask(task.id, { limit: 10 })).toEqual([])

      const second = { chunks: pageOf([2, 3], 100), cursor: '9', done: true }
      expect(await store.tasks.addPlanned(task.id, 0, '0', second)).toBe(true)
      expect(await lossy.tasks.addPlanned(task.id, 0, '0', crashed)).toBe(false)
      expect(
        await raw
          .collection('ranges')
          .find({ taskId: Number(task.id) })
          .toArray(),
      ).toMatchObject([
        { place: 0, cursor: '9', planned: 5, done: true, attempt: 2, end: 2, by: [{ attempt: 2, from: 0 }] },
      ])
      expect((await store.tasks.counts(task.id))[0]).toMatchObject({ total: 5, byOutcome: { unsent: 5 } })
      const chunks = await store.chunks.ofTask(task.id, { limit: 10 })
      expect(chunks.map((chunk) => chunk.members)).toEqual([members(2, 100), members(3, 100)])
      await store.tasks.update(task.id, { state: 'sending' })
      const refs = await store.chunks.promote(channel.id, 10)
      expect(refs.map((ref) => ref.seq)).toEqual([0, 1])
      await store.chunks.claim(refs, 10_000, 10)
      await store.chunks.write(refs.map((ref) => ({ ...ref, fence: 1, state: 'done' as const })))
      expect(await store.tasks.finish([task.id])).toEqual([task.id])
    })

    it('writes one range with a page of a plan of hundreds, and not its task', async () => {
      const channel = await make.channel()
      const range = { channelId: channel.id, cursor: '0', planned: 0, done: false }
      const ranges = Array.from({ length: 300 }, (_, place) => ({ ...range, seqBase: place * 1000 }))
      const plan = { upToDeviceId: '9', ranges, complete: false }
      const task = await make.task({ appId: channel.appId, state: 'planning' })
      await store.tasks.create([{ task, chunks: [] }])
      await store.tasks.update(task.id, { plan, ifNoPlan: true })
      const row = () => raw.collection('tasks').findOne({ _id: Number(task.id) as never })
      const before = await row()
      const chunks = [{ seq: 7000, channelId: channel.id, members: members(3) }]
      expect(await store.tasks.addPlanned(task.id, 7, '0', { chunks, cursor: '3', done: true })).toBe(true)
      expect(await row()).toEqual(before)
      expect(await raw.collection('ranges').countDocuments({ taskId: Number(task.id) })).toBe(1)
      const [found] = await store.tasks.byIds([task.id])
      const moved = ranges.map((each, place) => (place === 7 ? { ...each, cursor: '3', planned: 3, done: true } : each))
      expect(found?.plan).toEqual({ ...plan, ranges: moved })
    })

    it('purges the ranges of a plan with its task', async () => {
      const channel = await make.channel()
      const range = { channelId: channel.id, seqBase: 0, cursor: '0', planned: 0, done: false }
      const plan = { upToDeviceId: '9', ranges: [range], complete: false }
      const task = await make.task({ appId: channel.appId, state: 'planning', plan })
      await store.tasks.create([{ task, chunks: [] }])
      const chunks = [{ seq: 0, channelId: channel.id, members: members(1) }]
      await store.tasks.addPlanned(task.id, 0, '0', { chunks, cursor: '1', done: true })
      const left = () =>
        Promise.all(['ranges', 'chunks'].map((of) => raw.collection(of).countDocuments({ taskId: Number(task.id) })))
      expect(await left()).toEqual([1, 1])
      const finishedAt = new Date(Date.now() - 8 * 24 * 3600_000)
      await store.tasks.update(task.id, { state: 'cancelled', finishedAt })
      await store.purge(1000)
      expect(await left()).toEqual([0, 0])
    })

    it('reads a page of devices as one range of an index', async () => {
      const filter: object = { channelId: 1, live: true, _id: { $gt: 0, $lt: 10 } }
      const explained = await raw
        .collection('devices')
        .find(filter, { projection: { userId: 1 } })
        .explain()
      expect(JSON.stringify(explained)).toContain('IXSCAN')
    })

    it('has TTL indexes for tasks, chunks and revoked tokens', async () => {
      const ttl = async (name: string) => {
        const indexes = await raw.collection(name).indexes()
        return indexes.filter((index) => index.expireAfterSeconds !== undefined).map((index) => index.key)
      }
      expect(await ttl('tasks')).toEqual([{ purgeAt: 1 }])
      expect(await ttl('chunks')).toEqual([{ at: 1 }])
      expect(await ttl('ranges')).toEqual([{ at: 1 }])
      expect(await ttl('revoked')).toEqual([{ expiresAt: 1 }])
    })

    it('says that the store is down while it is, and keeps what it acknowledged (kill -9)', async () => {
      if (mongo?.source === 'uri') return
      const ref = await make.chunk(await make.channel(), 1)
      await mongo?.kill('SIGKILL')
      const begun = Date.now()
      await expect(store.tasks.byIds([ref.taskId])).rejects.toThrow(StoreDownError)
      await expect(store.chunks.claim([ref], 1000, 1)).rejects.toThrow(StoreDownError)
      await expect(store.takeIds(1)).rejects.toThrow(StoreDownError)
      expect(Date.now() - begun).toBeLessThan(30_000)
      await mongo?.restart()
      expect((await store.chunks.claim([ref], 10_000, 1))[0]?.chunk.fence).toBe(1)
    })
  })
}

it('rejects with StoreDownError where nothing listens', async () => {
  await expect(openStore('mongodb://127.0.0.1:1/x', { masterKey: MASTER_KEY })).rejects.toThrow(StoreDownError)
})
