import { expect, it } from '@jest/globals'
import { members } from '../make.ts'
import { chunkOf, type GetSubject, ODD_TEXTS } from './subject.ts'

const DAY_MS = 24 * 3600_000

export function taskCases(get: GetSubject): void {
  it('keeps a task as it was given', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const odd = Object.fromEntries(ODD_TEXTS.filter((text) => text !== '\ud800').map((text) => [`k${text}`, text]))
    const task = await make.task({
      appId,
      state: 'scheduled',
      startsAt: new Date('2030-01-02T03:04:05.678Z'),
      audience: { kind: 'labels', allOf: ['a', 'b'] },
      message: { title: 'ünï😀', content: '', ext: { odd, nested: [1, null, { $gt: '' }], 'a.b': 1, $where: 2 } },
      route: ['online', 'vendor', 'inbox'],
      onUnknown: 'drop',
      rate: 12.5,
      canary: { percent: 1, maxFailPercent: 20, state: 'running' },
      plan: { upToDeviceId: '99', ranges: [], complete: false },
    })
    expect(await store.tasks.create([{ task, chunks: [] }])).toEqual(['created'])
    const [found, none] = await store.tasks.byIds([task.id, '0'])
    expect(found).toEqual(task)
    expect(none).toBeUndefined()
    expect(await store.tasks.create([])).toEqual([])
  })

  it('writes the chunks of a task; what has no channel is final', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId, lane: 'single' })
    const lost = { seq: 2, members: [{ userId: 'x' }, { userId: 'y' }], state: 'done' as const }
    await store.tasks.create([
      {
        task,
        chunks: [
          { seq: 0, channelId: channel.id, members: members(3, 70) },
          { seq: 1, channelId: channel.id, members: [{ deviceId: '5' }, { deviceId: '3', userId: 'z' }] },
          { ...lost, outcomes: ['rejected', 'rejected'], reasons: { 'no push binding': [0, 1] } },
        ],
      },
    ])
    const chunks = await store.chunks.ofTask(task.id, { limit: 10 })
    expect(chunks).toMatchObject([
      {
        seq: 0,
        appId: channel.appId,
        channelId: channel.id,
        lane: 'single',
        members: members(3, 70),
        state: 'planned',
      },
      { seq: 1, members: [{ deviceId: '5' }, { deviceId: '3', userId: 'z' }], outcomes: ['unsent', 'unsent'] },
      { seq: 2, state: 'done', outcomes: ['rejected', 'rejected'], reasons: { 'no push binding': [0, 1] } },
    ])
    expect(chunks[0]).toMatchObject({ gen: 0, fence: 0, starts: 0, started: 0, tries: 0, reasons: {} })
    expect(chunks[2]?.channelId).toBeUndefined()
    expect((await store.chunks.ofTask(task.id, { afterSeq: 0, limit: 1 })).map((chunk) => chunk.seq)).toEqual([1])
    const refs = [2, 9, 0].map((seq) => ({ taskId: task.id, seq }))
    expect((await store.chunks.byRefs(refs)).map((chunk) => chunk?.seq)).toEqual([2, undefined, 0])
  })

  it('takes the same task again as one task (a retry whose answer was lost)', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const [a, b] = [await make.task({ appId: channel.appId }), await make.task({ appId: channel.appId })]
    const withChunk = (task: typeof a) => ({ task, chunks: [{ seq: 0, channelId: channel.id, members: members(1) }] })
    await store.tasks.create([withChunk(a)])
    await store.chunks.claim([{ taskId: a.id, seq: 0, gen: 0 }], 10_000, 1)
    expect(await store.tasks.create([withChunk(b), withChunk(a)])).toEqual(['created', 'created'])
    expect(await chunkOf(store, { taskId: a.id, seq: 0 })).toMatchObject({ state: 'sending', fence: 1 })
    expect(await chunkOf(store, { taskId: b.id, seq: 0 })).toMatchObject({ state: 'planned' })
  })

  it('changes a task only in the states asked for', async () => {
    const { store, make } = get()
    const task = await make.task({ appId: (await make.app()).id })
    await store.tasks.create([{ task, chunks: [] }])
    expect(await store.tasks.update(task.id, { state: 'paused', ifState: ['planning', 'scheduled'] })).toBe(false)
    expect(await store.tasks.update(task.id, { state: 'paused', ifState: ['sending'], rate: 5 })).toBe(true)
    const startedAt = new Date('2026-01-01T00:00:00Z')
    const canary = { percent: 1, maxFailPercent: 2, state: 'held' } as const
    expect(await store.tasks.update(task.id, { rate: null, startedAt, finishedAt: startedAt, canary })).toBe(true)
    const [found] = await store.tasks.byIds([task.id])
    expect(found).toMatchObject({ state: 'paused', startedAt, finishedAt: startedAt, canary })
    expect(found?.rate).toBeUndefined()
    expect(await store.tasks.update('0', { state: 'done' })).toBe(false)
  })

  it('changes a canary and a rate only while the task is scheduled, whoever starts it meanwhile', async () => {
    const { store, make } = get()
    const startsAt = new Date(Date.now() + 3600_000)
    const canary = { percent: 1, maxFailPercent: 2, state: 'running' } as const
    for (let round = 0; round < 20; round++) {
      const task = await make.task({ appId: (await make.app()).id, state: 'scheduled', startsAt })
      await store.tasks.create([{ task, chunks: [] }])
      const [started, changed] = await Promise.all([
        store.tasks.update(task.id, { state: 'planning', startedAt: startsAt, ifState: ['scheduled'] }),
        store.tasks.update(task.id, { canary, rate: 5, ifState: ['scheduled'] }),
      ])
      expect(started).toBe(true)
      expect(await store.tasks.update(task.id, { canary, rate: 7, ifState: ['scheduled'] })).toBe(false)
      const [found] = await store.tasks.byIds([task.id])
      expect([found?.state, found?.canary, found?.rate]).toEqual(
        changed ? ['planning', canary, 5] : ['planning', undefined, undefined],
      )
    }
  })

  it('finishes what is being sent and has only final chunks', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const open = await make.chunk(channel)
    const { chunk } = await make.claimed(channel)
    await store.chunks.write([{ ...chunk, outcomes: [[0, 'sent']], state: 'done' }])
    const paused = await make.task({ state: 'paused' })
    const unplanned = await make.task({ plan: { upToDeviceId: '1', ranges: [], complete: false } })
    const empty = await make.task()
    await store.tasks.create([paused, unplanned, empty].map((task) => ({ task, chunks: [] })))
    const ids = [open.taskId, chunk.taskId, paused.id, unplanned.id, empty.id, '0']
    expect((await store.tasks.finish(ids)).sort()).toEqual([chunk.taskId, empty.id].sort())
    expect(await store.tasks.finish(ids)).toEqual([])
    const [done] = await store.tasks.byIds([chunk.taskId])
    expect(done).toMatchObject({ state: 'done', finishedAt: expect.any(Date) })
    expect(await store.tasks.finish([])).toEqual([])
  })

  it('sums outcomes and reasons per channel', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = [0, 1].map((seq) => ({ seq, channelId: channel.id, members: members(1000) }))
    const none = { seq: 2, members: [{ userId: 'x' }], outcomes: ['rejected' as const], reasons: { why: [0] } }
    await store.tasks.create([{ task, chunks: [...chunks, none] }])
    const [claimed] = await store.chunks.claim([{ taskId: task.id, seq: 0, gen: 0 }], 10_000, 1000)
    const outcomes = members(1000).map((_, index) =>
      index < 3 ? ([index, 'invalid', 'gone'] as const) : ([index, 'sent'] as const),
    )
    await store.chunks.write([{ taskId: task.id, seq: 0, fence: claimed?.chunk.fence ?? 0, outcomes, state: 'done' }])
    const counts = await store.tasks.counts(task.id)
    expect(counts).toHaveLength(2)
    expect(counts.find((one) => one.channelId === channel.id)).toEqual({
      channelId: channel.id,
      total: 2000,
      byOutcome: { invalid: 3, sent: 997, unsent: 1000 },
      byReason: { gone: 3 },
    })
    expect(counts.find((one) => one.channelId === undefined)).toEqual({
      total: 1,
      byOutcome: { rejected: 1 },
      byReason: { why: 1 },
    })
    expect(await store.tasks.counts('0')).toEqual([])
  })

  it('pages the bulk tasks of an app, newest first, and tells its load', async () => {
    const { store, make } = get()
    const { id: appId } = await make.app()
    const base = Date.now() - 1000
    const tasks = []
    for (let index = 0; index < 5; index++) {
      tasks.push(await make.task({ appId, createdAt: new Date(base + index), state: index < 2 ? 'done' : 'sending' }))
    }
    const single = await make.task({ appId, lane: 'single' })
    await store.tasks.create([...tasks, single].map((task) => ({ task, chunks: [] })))
    const newestFirst = tasks.map((task) => task.id).reverse()
    const first = await store.tasks.page(appId, { page: 0, size: 2 })
    const last = await store.tasks.page(appId, { page: 2, size: 2 })
    expect(first.tasks.map((task) => task.id)).toEqual(newestFirst.slice(0, 2))
    expect(last.tasks.map((task) => task.id)).toEqual(newestFirst.slice(4))
    expect([first.total, last.total]).toEqual([5, 5])
    expect(await store.tasks.load(appId, new Date(base + 3))).toEqual({ running: 3, created: 2 })
    expect(await store.tasks.load('0', new Date(0))).toEqual({ running: 0, created: 0 })
  })

  it('purges tasks with their chunks after seven days, and nothing younger or open', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const old = new Date(Date.now() - 8 * DAY_MS)
    const young = new Date(Date.now() - 6 * DAY_MS)
    const gone = await make.chunk(channel, 1, { task: { createdAt: old, state: 'done' } })
    const kept = await make.chunk(channel, 1, { task: { createdAt: young, state: 'done' } })
    await store.tasks.update(gone.taskId, { finishedAt: old })
    await store.tasks.update(kept.taskId, { finishedAt: young })
    for (let run = 0; run < 20; run++) await store.purge(1000)
    const found = await store.tasks.byIds([gone.taskId, kept.taskId])
    expect(found.map((task) => task?.id)).toEqual([undefined, kept.taskId])
    expect(await store.chunks.byRefs([gone])).toEqual([undefined])
    expect(await store.chunks.ofTask(kept.taskId, { limit: 1 })).toHaveLength(1)
  })
}
