import type { NewChannel, Plan } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { members } from '../make.ts'
import { ALL, chunkOf, type GetSubject } from './subject.ts'

const range = (channelId: string, seqBase: number) => ({ channelId, seqBase, cursor: '0', planned: 0, done: false })

export function planCases(get: GetSubject): void {
  const pageOf = (channel: NewChannel, seq: number, size: number) => [
    { seq, channelId: channel.id, members: members(size) },
  ]

  async function planning(channel: NewChannel) {
    const { store, make } = get()
    const ranges = [range(channel.id, 0), range(channel.id, 1000)]
    const plan: Plan = { upToDeviceId: '99', ranges, expected: 10, complete: false }
    const task = await make.task({ appId: channel.appId, state: 'planning' })
    await store.tasks.create([{ task, chunks: [] }])
    expect(await store.tasks.update(task.id, { plan })).toBe(true)
    return task
  }

  it('keeps the plan of whoever was first', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId, state: 'planning' })
    await store.tasks.create([{ task, chunks: [] }])
    const planOf = (expected: number): Plan => ({
      ...{ upToDeviceId: String(expected), ranges: [range(channel.id, 0)], expected, complete: false },
    })
    const begin = (expected: number) =>
      store.tasks.update(task.id, { plan: planOf(expected), ifState: ['planning'], ifNoPlan: true })
    const begun = await Promise.all([1, 2, 3, 4].map(begin))
    expect(begun.filter(Boolean)).toHaveLength(1)
    const [found] = await store.tasks.byIds([task.id])
    expect(found?.plan).toEqual(planOf(begun.indexOf(true) + 1))
    await store.tasks.addPlanned(task.id, 0, '0', { chunks: pageOf(channel, 0, 5), cursor: '5', done: false })
    expect(await begin(9)).toBe(false)
    expect((await store.tasks.byIds([task.id]))[0]?.plan?.ranges).toMatchObject([{ cursor: '5', planned: 5 }])
    await store.tasks.update(task.id, { state: 'cancelled' })
    expect(await begin(9)).toBe(false)
  })

  it('adds chunks and moves the cursor in one step; a repeated step changes nothing', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    const page = { chunks: pageOf(channel, 0, 5), cursor: '5', done: false }
    expect(await store.tasks.addPlanned(task.id, 0, '0', page)).toBe(true)
    expect(await store.tasks.addPlanned(task.id, 0, '0', page)).toBe(false)
    expect(await store.tasks.addPlanned(task.id, 0, '4', { ...page, chunks: pageOf(channel, 1, 5) })).toBe(false)
    expect(await store.tasks.addPlanned(task.id, 7, '0', page)).toBe(false)
    expect(await store.tasks.addPlanned('0', 0, '0', page)).toBe(false)
    const [found] = await store.tasks.byIds([task.id])
    expect(found?.plan?.ranges).toMatchObject([
      { cursor: '5', planned: 5, done: false },
      { cursor: '0', planned: 0 },
    ])
    expect(found?.plan).toMatchObject({ expected: 10, upToDeviceId: '99', complete: false })
    const chunks = await store.chunks.ofTask(task.id, { limit: 10 })
    expect(chunks).toMatchObject([{ seq: 0, state: 'waiting', members: members(5), lane: 'bulk' }])
  })

  it('is complete when the last range is done; only then the task can finish', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    await store.tasks.update(task.id, { state: 'sending' })
    const done = { chunks: [], cursor: '9', done: true }
    expect(await store.tasks.addPlanned(task.id, 1, '0', done)).toBe(true)
    expect(await store.tasks.finish([task.id])).toEqual([])
    expect(await store.tasks.addPlanned(task.id, 0, '0', { ...done, chunks: pageOf(channel, 0, 1) })).toBe(true)
    expect(await store.tasks.addPlanned(task.id, 0, '9', done)).toBe(false)
    expect((await store.tasks.byIds([task.id]))[0]?.plan?.complete).toBe(true)
    expect(await store.tasks.finish([task.id])).toEqual([])
    await store.chunks.cancel(task.id)
    expect(await store.tasks.finish([task.id])).toEqual([task.id])
  })

  it('lets planners of two ranges and of one range race: each page is there once', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    const runRange = async (index: number) => {
      for (let step = 0; step < 5; step++) {
        const chunks = pageOf(channel, index * 1000 + step, 2)
        await store.tasks.addPlanned(task.id, index, String(step), {
          chunks,
          cursor: String(step + 1),
          done: step === 4,
        })
      }
    }
    await Promise.all([runRange(0), runRange(1), runRange(0), runRange(1)])
    const [found] = await store.tasks.byIds([task.id])
    expect(found?.plan).toMatchObject({ complete: true, ranges: [{ planned: 10 }, { planned: 10 }] })
    expect((await store.tasks.counts(task.id))[0]?.total).toBe(20)
    expect(await store.chunks.ofTask(task.id, { limit: 100 })).toHaveLength(10)
  })

  it('has nothing of a page whose planner died before its commit, however the next one plans it', async () => {
    const { store, make, dieBeforeCommit } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    const pages = [0, 1, 2].flatMap((seq) => pageOf(channel, seq, 3))
    await dieBeforeCommit?.(task.id, 0, '0', { chunks: pages, cursor: '9', done: false })
    const shorter = { chunks: [0, 1].flatMap((seq) => pageOf(channel, seq, 2)), cursor: '9', done: false }
    expect(await store.tasks.addPlanned(task.id, 0, '0', shorter)).toBe(true)
    const last = { chunks: pageOf(channel, 600, 2), cursor: '11', done: true }
    expect(await store.tasks.addPlanned(task.id, 0, '9', last)).toBe(true)
    expect(await store.tasks.addPlanned(task.id, 1, '0', { chunks: [], cursor: '0', done: true })).toBe(true)
    const leftOver = { taskId: task.id, seq: 2, gen: 0 }
    expect(await store.chunks.byRefs([leftOver])).toEqual([undefined])
    expect((await store.chunks.ofTask(task.id, { limit: 10 })).map((chunk) => chunk.seq)).toEqual([0, 1, 600])
    expect((await store.tasks.counts(task.id))[0]).toMatchObject({ total: 6, byOutcome: { unsent: 6 } })
    for (const seq of [0, 1, 600]) {
      expect(await store.chunks.promote(channel.id, 1)).toEqual([{ taskId: task.id, seq, gen: 0 }])
    }
    expect(await store.chunks.promote(channel.id, 1)).toEqual([])
    expect(await store.chunks.claim([leftOver], 10_000, 1)).toEqual([undefined])
    await store.tasks.update(task.id, { state: 'sending' })
    const refs = [0, 1, 600].map((seq) => ({ taskId: task.id, seq, gen: 0 }))
    await store.chunks.claim(refs, 10_000, 10)
    await store.chunks.write(refs.map((ref) => ({ ...ref, fence: 1, state: 'done' as const })))
    expect(await store.tasks.finish([task.id])).toEqual([task.id])
  })

  it('plans nothing more of a plan that is called complete before its time; what was planned stays', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    await store.tasks.addPlanned(task.id, 0, '0', { chunks: pageOf(channel, 0, 5), cursor: '5', done: false })
    const plan = (await store.tasks.byIds([task.id]))[0]?.plan
    if (!plan) throw new Error('there is no plan')
    const whole = { ...plan, ranges: plan.ranges.map((each) => ({ ...each, done: true })), complete: true }
    expect(await store.tasks.update(task.id, { state: 'sending', plan: whole, ifState: ['paused'] })).toBe(false)
    expect(await store.tasks.update(task.id, { state: 'sending', plan: whole, ifState: ['planning'] })).toBe(true)
    const page = { chunks: pageOf(channel, 1, 5), cursor: '9', done: true }
    expect(await store.tasks.addPlanned(task.id, 0, '5', page)).toBe(false)
    expect(await store.tasks.addPlanned(task.id, 1, '0', { ...page, chunks: pageOf(channel, 1000, 5) })).toBe(false)
    const [found] = await store.tasks.byIds([task.id])
    expect(found?.plan).toMatchObject({ complete: true, ranges: [{ cursor: '5', planned: 5 }, { planned: 0 }] })
    expect((await store.tasks.counts(task.id))[0]?.total).toBe(5)
    expect(await store.tasks.finish([task.id])).toEqual([])
    await store.chunks.cancel(task.id)
    expect(await store.tasks.finish([task.id])).toEqual([task.id])
  })

  it('plans nothing for a task that has ended', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    await store.tasks.update(task.id, { state: 'cancelled' })
    const page = { chunks: pageOf(channel, 0, 5), cursor: '5', done: false }
    expect(await store.tasks.addPlanned(task.id, 0, '0', page)).toBe(false)
    expect(await store.chunks.ofTask(task.id, { limit: 1 })).toEqual([])
  })

  it('promotes waiting chunks, oldest task first, and passes over paused and held ones', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const held = { percent: 1, maxFailPercent: 1, state: 'held' } as const
    const tasks = [
      await make.task({ appId: channel.appId, state: 'paused' }),
      await make.task({ appId: channel.appId, canary: held }),
      await make.task({ appId: channel.appId, canary: { ...held, state: 'running' } }),
      await make.task({ appId: channel.appId, canary: { ...held, state: 'passed' } }),
      await make.task({ appId: channel.appId, state: 'planning' }),
    ]
    const chunks = [0, 1, 2].map((seq) => ({
      seq,
      channelId: channel.id,
      members: members(1),
      state: 'waiting' as const,
    }))
    await store.tasks.create(tasks.map((task) => ({ task, chunks })))
    const [, , , passed, young] = tasks.map((task) => task.id)
    expect(await store.chunks.promote(channel.id, 2)).toEqual([
      { taskId: passed, seq: 0, gen: 0 },
      { taskId: passed, seq: 1, gen: 0 },
    ])
    const backlog = (await store.chunks.backlog(ALL)).find((one) => one.channelId === channel.id)
    const { id: channelId, appId } = channel
    expect(backlog).toEqual({ channelId, appId, platform: 'xiaomi', open: 2, bulk: true, single: false })
    const rest = await store.chunks.promote(channel.id, 10)
    expect(rest.map((ref) => [ref.taskId, ref.seq])).toEqual([
      [passed, 2],
      [young, 0],
      [young, 1],
      [young, 2],
    ])
    expect(await store.chunks.promote(channel.id, 10)).toEqual([])
    expect((await store.chunks.backlog(ALL)).some((one) => one.channelId === channel.id)).toBe(false)
    expect(await chunkOf(store, { taskId: passed ?? '', seq: 0 })).toMatchObject({ state: 'planned' })
    await store.tasks.update(tasks[0]?.id ?? '', { state: 'sending' })
    expect(await store.chunks.promote(channel.id, 10)).toHaveLength(3)
    expect(await store.chunks.promote('0', 10)).toEqual([])
  })

  it('tells of the backlog in pages, in order of the channels', async () => {
    const { store, make } = get()
    const channels = [await make.channel(), await make.channel(), await make.channel()]
    for (const channel of channels) await make.chunk(channel, 1, { chunk: { state: 'waiting' } })
    const [first, second, third] = channels.map(({ id }) => id)
    const ids = async (limit: number, after?: string) =>
      (await store.chunks.backlog(limit, after)).map((one) => one.channelId)
    expect(await ids(1, first)).toEqual([second])
    expect(await ids(ALL, first)).toEqual([second, third])
    expect(await ids(ALL, third)).toEqual([])
  })

  it('gives each waiting chunk to one of racing promoters', async () => {
    const { store, make, reopen } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = Array.from({ length: 60 }, (_, seq) => ({
      seq,
      channelId: channel.id,
      members: members(1),
      state: 'waiting' as const,
    }))
    await store.tasks.create([{ task, chunks }])
    const other = reopen ? await reopen() : store
    const rounds = Array.from({ length: 8 }, (_, index) => (index % 2 ? store : other).chunks.promote(channel.id, 10))
    const seqs = (await Promise.all(rounds)).flat().map((ref) => ref.seq)
    if (other !== store) await other.close()
    expect(seqs).toHaveLength(60)
    expect(new Set(seqs).size).toBe(60)
  })

  it('keeps chunks out of the window that are written as planned (the canary)', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await planning(channel)
    const [chunk] = pageOf(channel, 0, 3)
    const chunks = chunk ? [{ ...chunk, state: 'planned' as const }] : []
    await store.tasks.addPlanned(task.id, 0, '0', { chunks, cursor: '3', done: false })
    expect((await store.chunks.claim([{ taskId: task.id, seq: 0, gen: 0 }], 10_000, 1))[0]?.chunk.members).toHaveLength(
      3,
    )
  })
}
