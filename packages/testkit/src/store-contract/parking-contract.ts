import { expect, it } from '@jest/globals'
import { ALL, chunkOf, eventually, type GetSubject, PASSED } from './subject.ts'

const refOf = ({ taskId, seq }: { taskId: string; seq: number }, gen = 0) => ({ taskId, seq, gen })

/** Chunks of paused channels wait in the store and come back. */
export function parkingCases(get: GetSubject): void {
  it('parks planned and queued chunks, whatever their lane, and promotes those of a lane again', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const single = await make.chunk(channel, 1, { task: { lane: 'single' } })
    const bulk = await make.chunk(channel, 2)
    const planned = await make.chunk(channel, 2)
    const requeued = () => store.chunks.requeue([planned], PASSED)
    const [queued] = await eventually(requeued, (refs) => refs.length > 0)
    if (!queued) throw new Error('the chunk was not lost')
    expect(await store.chunks.park([single, bulk, queued])).toEqual([true, true, true])
    for (const ref of [single, bulk, queued]) expect((await chunkOf(store, ref)).state).toBe('waiting')
    expect(await store.chunks.claim([single, bulk, queued], 60_000, 1)).toEqual([undefined, undefined, undefined])
    expect((await store.chunks.lost(0, ALL)).filter((one) => one.channelId === channel.id)).toEqual([])
    const { id: channelId, appId } = channel
    const backlog = (await store.chunks.backlog(ALL)).filter((one) => one.channelId === channelId)
    expect(backlog).toEqual([{ channelId, appId, platform: 'xiaomi', open: 0, bulk: true, single: true }])
    expect(await store.chunks.promote(channelId, 10, 'single')).toEqual([refOf(single, 1)])
    expect(await store.chunks.promote(channelId, 10, 'single')).toEqual([])
    expect(await store.chunks.promote(channelId, 10)).toEqual([refOf(bulk, 1), refOf(queued, 2)])
    const [claimed] = await store.chunks.claim([{ ...single, gen: 1 }], 60_000, 1)
    expect(claimed?.chunk).toMatchObject({ gen: 1, state: 'sending' })
  })

  it('promotes waiting single pushes oldest first, and passes over paused ones', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const refs = []
    for (let count = 0; count < 4; count++) {
      refs.push(await make.chunk(channel, 1, { task: { lane: 'single' }, chunk: { state: 'waiting' } }))
    }
    await store.tasks.update(refs[0]?.taskId ?? '', { state: 'paused' })
    expect(await store.chunks.promote(channel.id, 2, 'single')).toEqual(refs.slice(1, 3).map((ref) => refOf(ref)))
    expect(await store.chunks.promote(channel.id, 2, 'single')).toEqual(refs.slice(3).map((ref) => refOf(ref)))
  })

  it('leaves a job nothing to do whose chunk is final, superseded or being sent', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const sending = (await make.claimed(channel, 1)).ref
    const done = await make.claimed(channel, 1)
    await store.chunks.write([{ ...done.ref, fence: 1, outcomes: [[0, 'sent']], state: 'done' }])
    const unknown = { taskId: '1', seq: 9, gen: 0 }
    expect(await store.chunks.park([sending, done.ref, unknown])).toEqual([true, true, true])
    expect((await chunkOf(store, sending)).state).toBe('sending')
    expect((await chunkOf(store, done.ref)).state).toBe('done')
  })

  it('parks no chunk of a canary, which nobody would promote', async () => {
    const { store, make } = get()
    const canary = { percent: 1, maxFailPercent: 1, state: 'running' } as const
    const ref = await make.chunk(await make.channel(), 1, { task: { canary } })
    expect(await store.chunks.park([ref])).toEqual([false])
    expect((await chunkOf(store, ref)).state).toBe('planned')
  })

  it('ends waiting single pushes: expired, cancelled, of a channel that is gone', async () => {
    const { store, make } = get()
    const gone = await make.channel()
    const channel = await make.channel()
    const wait = (over: object, of = channel) =>
      make.chunk(of, 1, { task: { lane: 'single', ...over }, chunk: { state: 'waiting' } })
    const expired = await wait({ expiresAt: new Date(Date.now() - 1) })
    const cancelled = await wait({})
    const lost = await wait({}, gone)
    await store.tasks.update(cancelled.taskId, { state: 'cancelled' })
    await store.channels.remove(gone.id)
    await store.chunks.expire(ALL)
    await store.chunks.removeOrphans(ALL)
    const outcomeOf = async (ref: typeof lost) => (await chunkOf(store, ref)).outcomes[0]
    await eventually(
      async () => [await outcomeOf(expired), await outcomeOf(lost)].join(),
      (both) => both === 'expired,rejected',
    )
    expect(await outcomeOf(expired)).toBe('expired')
    expect(await outcomeOf(cancelled)).toBe('cancelled')
    expect(await outcomeOf(lost)).toBe('rejected')
  })

  it('counts the single pushes of an app that are not final, up to a number', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const { appId } = channel
    for (const state of ['waiting', 'planned', 'planned'] as const) {
      await make.chunk(channel, 1, { task: { lane: 'single' }, chunk: { state } })
    }
    await make.chunk(channel, 1)
    await store.chunks.cancel((await make.chunk(channel, 1, { task: { lane: 'single' } })).taskId)
    await make.chunk(await make.channel(), 1, { task: { lane: 'single' } })
    expect(await store.chunks.openSingles(appId, 100)).toBe(3)
    expect(await store.chunks.openSingles(appId, 2)).toBe(2)
  })
}
