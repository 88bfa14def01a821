import { expect, it } from '@jest/globals'
import { members } from '../make.ts'
import { ALL, chunkOf, eventually, type GetSubject, PASSED } from './subject.ts'

export function sweepCases(get: GetSubject): void {
  it('expires the open members of expired tasks, except of chunks being sent', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = [0, 1, 2, 3].map((seq) => ({ seq, channelId: channel.id, members: members(2) }))
    await store.tasks.create([
      { task, chunks: [...chunks, { seq: 4, members: [{ userId: 'x' }], state: 'done' as const }] },
    ])
    const refs = [0, 1, 2].map((seq) => ({ taskId: task.id, seq, gen: 0 }))
    await store.chunks.claim(refs.slice(0, 1), 60_000, 2)
    await store.chunks.claim(refs.slice(1), PASSED, 2)
    await store.chunks.write([{ taskId: task.id, seq: 2, fence: 1, outcomes: [[0, 'sent']] }])
    const late = { ...task, id: await make.id(), expiresAt: new Date(Date.now() - 1) }
    await store.tasks.create([{ task: late, chunks: chunks.slice(0, 1) }])
    expect(await store.chunks.expire(ALL)).toBeGreaterThanOrEqual(1)
    expect(await chunkOf(store, { taskId: late.id, seq: 0 })).toMatchObject({
      state: 'done',
      outcomes: ['expired', 'expired'],
    })
    expect((await chunkOf(store, { taskId: task.id, seq: 3 })).outcomes).toEqual(['unsent', 'unsent'])
    expect(await store.chunks.expire(ALL)).toBe(0)
  })

  it('leaves to a live sender what expired while it was sent', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const expiresAt = new Date(Date.now() + 400)
    const alive = await make.claimed(channel, 2, { task: { expiresAt } })
    const dead = await make.chunk(channel, 2, { task: { expiresAt } })
    await store.chunks.claim([dead], PASSED, 1)
    const expired = () => store.chunks.expire(ALL).then(() => chunkOf(store, dead))
    expect(await eventually(expired, (chunk) => chunk.state === 'done')).toMatchObject({
      state: 'done',
      outcomes: ['expired', 'expired'],
    })
    expect(await chunkOf(store, alive.ref)).toMatchObject({ state: 'sending' })
    const outcomes = [0, 1].map((index) => [index, 'sent'] as const)
    expect(await store.chunks.write([{ ...alive.ref, fence: 1, outcomes, state: 'done' }])).toEqual([true])
  })

  it('ends what a dead worker held of a cancelled task', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 2)
    await store.chunks.claim([ref], PASSED, 1)
    await store.tasks.update(ref.taskId, { state: 'cancelled' })
    const swept = () => store.chunks.expire(ALL).then(() => chunkOf(store, ref))
    expect(await eventually(swept, (chunk) => chunk.state === 'done')).toMatchObject({
      outcomes: ['cancelled', 'cancelled'],
    })
  })

  it('ends what waits of a cancelled task whose canceller died before it cancelled the chunks', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const waiting = await make.chunk(channel, 2, { chunk: { state: 'waiting' } })
    const other = await make.chunk(channel, 2, { chunk: { state: 'waiting' } })
    await store.tasks.update(waiting.taskId, { state: 'cancelled' })
    expect(await store.chunks.expire(ALL)).toBeGreaterThanOrEqual(1)
    expect(await chunkOf(store, waiting)).toMatchObject({ state: 'done', outcomes: ['cancelled', 'cancelled'] })
    expect(await chunkOf(store, other)).toMatchObject({ state: 'waiting' })
  })

  it('ends what was to go through a channel that was removed', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const refs = [
      await make.chunk(channel, 1, { chunk: { state: 'waiting' } }),
      await make.chunk(channel, 1),
      await make.chunk(channel, 1),
    ]
    await store.chunks.claim(refs.slice(2), 60_000, 1)
    await store.channels.remove(channel.id)
    const swept = () => store.chunks.expire(ALL).then(() => store.chunks.byRefs(refs))
    const chunks = await eventually(swept, (found) => found[1]?.state === 'done')
    expect(chunks.map((chunk) => [chunk?.state, chunk?.outcomes[0]])).toEqual([
      ['done', 'rejected'],
      ['done', 'rejected'],
      ['sending', 'unsent'],
    ])
    expect(chunks[0]?.reasons).toEqual({ 'no notifier exist': [0] })
  })

  it('gives up synchronous chunks whose sender died', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const chunk = { state: 'sending' as const, fence: 1, starts: 1, started: 2 }
    const sync = (leaseMs: number) => make.chunk(channel, 2, { task: { lane: 'sync' }, chunk: { ...chunk, leaseMs } })
    const dead = await sync(PASSED)
    const alive = await sync(60_000)
    const crashed = await make.chunk(channel)
    await store.chunks.claim([crashed], PASSED, 1)
    expect(await store.chunks.abandonSync(ALL)).toBeGreaterThanOrEqual(1)
    expect(await chunkOf(store, dead)).toMatchObject({ state: 'done', outcomes: ['unknown', 'unknown'] })
    expect(await chunkOf(store, alive)).toMatchObject({ state: 'sending' })
    expect(await chunkOf(store, crashed)).toMatchObject({ state: 'sending' })
    const late = { ...dead, fence: 1, outcomes: [[0, 'sent']] as const, state: 'done' as const }
    expect(await store.chunks.write([late])).toEqual([false])
  })

  it('buries a chunk that was begun too often without an end', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const poison = await make.chunk(channel, 3)
    const healthy = await make.chunk(channel, 3)
    for (let start = 1; start <= 3; start++) {
      const [claimed] = await store.chunks.claim([poison], PASSED, 1)
      const fence = claimed?.chunk.fence ?? 0
      if (start === 1) await store.chunks.write([{ ...poison, fence, outcomes: [[2, 'sent']], leaseMs: PASSED }])
    }
    for (let start = 1; start <= 3; start++) {
      const [claimed] = await store.chunks.claim([healthy], PASSED, 1)
      const nextAt = new Date(Date.now() - 1000)
      await store.chunks.write([{ ...healthy, fence: claimed?.chunk.fence ?? 0, state: 'queued', nextAt }])
    }
    await store.chunks.bury(3, ALL)
    expect(await chunkOf(store, poison)).toMatchObject({ state: 'sending', starts: 3 })
    expect(await store.chunks.bury(2, ALL)).toBeGreaterThanOrEqual(1)
    expect(await chunkOf(store, poison)).toMatchObject({
      state: 'dead',
      outcomes: ['unknown', 'unknown', 'sent'],
      reasons: { poison: [0, 1] },
    })
    expect(await chunkOf(store, healthy)).toMatchObject({ state: 'queued', outcomes: Array(3).fill('unsent') })
    expect(await store.chunks.claim([poison], 10_000, 1)).toEqual([undefined])
    expect(await store.tasks.finish([poison.taskId])).toEqual([poison.taskId])
  })

  it('cancels the open members of a task, whatever their number', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const task = await make.task({ appId: channel.appId })
    const chunks = Array.from({ length: 1200 }, (_, seq) => ({ seq, channelId: channel.id, members: members(2) }))
    const waiting = { seq: 1200, channelId: channel.id, members: members(1), state: 'waiting' as const }
    await store.tasks.create([{ task, chunks: [...chunks, waiting] }])
    const [claimed] = await store.chunks.claim([{ taskId: task.id, seq: 5, gen: 0 }], 60_000, 2)
    await store.chunks.write([
      { taskId: task.id, seq: 5, fence: claimed?.chunk.fence ?? 0, outcomes: [[0, 'sent']], state: 'queued' },
    ])
    await store.chunks.claim([{ taskId: task.id, seq: 7, gen: 0 }], 60_000, 2)
    await store.tasks.update(task.id, { state: 'cancelled' })
    expect(await store.chunks.cancel(task.id)).toBe(1200)
    expect((await store.tasks.counts(task.id))[0]?.byOutcome).toEqual({ sent: 1, cancelled: 2398, unsent: 2 })
    expect(await store.chunks.cancel(task.id)).toBe(0)
    expect(await store.chunks.removeOrphans(ALL)).toBe(0)
  })

  it('tells the sweeper which tasks have work', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const { appId } = channel
    const [past, future] = [new Date(Date.now() - 1000), new Date(Date.now() + 60_000)]
    const plan = { upToDeviceId: '1', ranges: [], complete: false }
    const canary = { percent: 1, maxFailPercent: 1, state: 'running' } as const
    const work = [
      await make.task({ appId, state: 'scheduled', startsAt: past }),
      await make.task({ appId, state: 'planning', plan }),
      await make.task({ appId, state: 'paused', expiresAt: past }),
      await make.task({ appId }),
    ]
    const none = [
      await make.task({ appId, state: 'scheduled', startsAt: future }),
      await make.task({ appId, state: 'paused' }),
      await make.task({ appId, state: 'done', expiresAt: past }),
    ]
    await store.tasks.create([...work, ...none].map((task) => ({ task, chunks: [] })))
    const open = await make.chunk(channel)
    const canaried = await make.chunk(channel, 1, { task: { canary } })
    const found = new Set((await store.tasks.toSweep(ALL)).map((task) => task.id))
    expect(work.map((task) => found.has(task.id))).toEqual([true, true, true, true])
    expect(none.map((task) => found.has(task.id))).toEqual([false, false, false])
    expect([found.has(canaried.taskId), found.has(open.taskId)]).toEqual([true, false])
    expect((await store.tasks.toSweep(ALL)).find((task) => task.id === work[1]?.id)?.plan).toEqual(plan)
    expect(await store.tasks.toSweep(2)).toHaveLength(2)
  })

  it('gives a lease to one holder at a time', async () => {
    const { store } = get()
    const name = `lease-${Math.random()}`
    const race = await Promise.all(Array.from({ length: 8 }, (_, index) => store.lease(name, `h${index}`, 60_000)))
    expect(race.filter(Boolean)).toHaveLength(1)
    const holder = `h${race.indexOf(true)}`
    expect(await store.lease(name, holder, 60_000)).toBe(true)
    expect(await store.lease(name, 'other', 60_000)).toBe(false)
    expect(await store.lease(name, 'other', 0)).toBe(false)
    expect(await store.lease(name, 'other', 60_000)).toBe(false)
    await store.lease(name, holder, 0)
    expect(await store.lease(name, 'other', 20)).toBe(true)
    expect(await eventually(() => store.lease(name, holder, 60_000), Boolean)).toBe(true)
  })
}
