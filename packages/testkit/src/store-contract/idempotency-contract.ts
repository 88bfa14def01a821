import type { NewTask } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { members } from '../make.ts'
import type { GetSubject } from './subject.ts'

const HOUR_MS = 3600_000

export function idempotencyCases(get: GetSubject): void {
  async function keyed(appId: string, key: string, over: Partial<NewTask> = {}): Promise<NewTask> {
    const task = await get().make.task({ appId })
    return {
      task,
      chunks: [],
      idempotency: { key, fingerprint: 'f1', answer: { status: 200, body: '{"a":1}' } },
      ...over,
    }
  }

  it('answers a used key with what it was used for, and creates nothing', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const first = await keyed(appId, 'k')
    const again = await keyed(appId, 'k')
    expect(await store.tasks.create([first])).toEqual(['created'])
    const taken = { fingerprint: 'f1', taskId: first.task.id, answer: { status: 200, body: '{"a":1}' } }
    expect(await store.tasks.create([again])).toEqual([{ taken }])
    expect(await store.tasks.byIds([again.task.id])).toEqual([undefined])
    expect(await store.tasks.byKey(appId, 'k')).toEqual(taken)
    expect(await store.tasks.byKey(appId, 'K')).toBeUndefined()
    const otherApp = await keyed((await make.app()).id, 'k')
    expect(await store.tasks.create([otherApp])).toEqual(['created'])
  })

  it('leaves only the taken one out of a list, also when the list itself repeats a key', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const { appId } = channel
    await store.tasks.create([await keyed(appId, 'used')])
    const chunks = [{ seq: 0, channelId: channel.id, members: members(1) }]
    const keys = ['a', 'used', 'b', 'b', '{"$gt":""}', 'ünï😀']
    const list: NewTask[] = []
    for (const key of keys) list.push(await keyed(appId, key, { chunks }))
    list.push({ task: await make.task({ appId }), chunks })
    const results = await store.tasks.create(list)
    expect(results.map((result) => (result === 'created' ? 'created' : 'taken'))).toEqual([
      'created',
      'taken',
      'created',
      'taken',
      'created',
      'created',
      'created',
    ])
    const found = await store.tasks.byIds(list.map((item) => item.task.id))
    expect(found.map((task) => task !== undefined)).toEqual([true, false, true, false, true, true, true])
    const refs = list.map((item) => ({ taskId: item.task.id, seq: 0 }))
    const chunksFound = await store.chunks.byRefs(refs)
    expect(chunksFound.filter((chunk) => chunk?.state === 'planned')).toHaveLength(5)
  })

  it('has no answer while the first request runs, and keeps the one it is given then', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const running = await keyed(appId, 'sync', { idempotency: { key: 'sync', fingerprint: 'f9' } })
    await store.tasks.create([running])
    expect(await store.tasks.create([await keyed(appId, 'sync')])).toEqual([
      { taken: { fingerprint: 'f9', taskId: running.task.id } },
    ])
    await store.tasks.answer(appId, 'sync', { status: 200, body: 'done' })
    expect(await store.tasks.byKey(appId, 'sync')).toMatchObject({ answer: { status: 200, body: 'done' } })
    await store.tasks.answer(appId, 'unknown', { status: 200, body: 'x' })
    expect(await store.tasks.byKey(appId, 'unknown')).toBeUndefined()
  })

  it('makes one task of a race for one key', async () => {
    const { store, make, reopen } = get()
    const { id: appId } = await make.app()
    const other = reopen ? await reopen() : store
    const items = await Promise.all(Array.from({ length: 20 }, () => keyed(appId, 'race')))
    const results = await Promise.all(items.map((item, index) => (index % 2 ? store : other).tasks.create([item])))
    if (other !== store) await other.close()
    expect(results.flat().filter((result) => result === 'created')).toHaveLength(1)
    const found = await store.tasks.byIds(items.map((item) => item.task.id))
    expect(found.filter((task) => task !== undefined)).toHaveLength(1)
    const winner = found.find((task) => task !== undefined)
    for (const result of results.flat()) if (result !== 'created') expect(result.taken.taskId).toBe(winner?.id)
  })

  it('frees a key after 24 hours', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const old = await make.task({ appId, createdAt: new Date(Date.now() - 25 * HOUR_MS) })
    const recent = await make.task({ appId, createdAt: new Date(Date.now() - 23 * HOUR_MS) })
    await store.tasks.create([
      { task: old, chunks: [], idempotency: { key: 'old', fingerprint: 'f' } },
      { task: recent, chunks: [], idempotency: { key: 'recent', fingerprint: 'f' } },
    ])
    expect(await store.tasks.byKey(appId, 'old')).toBeUndefined()
    expect(await store.tasks.create([await keyed(appId, 'old')])).toEqual(['created'])
    await store.purge(1000)
    expect(await store.tasks.create([await keyed(appId, 'recent')])).toMatchObject([{ taken: { taskId: recent.id } }])
  })
}
