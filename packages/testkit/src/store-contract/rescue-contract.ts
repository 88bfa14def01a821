import type { ChunkRef, Rescue } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { ALL, chunkOf, eventually, type GetSubject, PASSED } from './subject.ts'

export function rescueCases(get: GetSubject): void {
  /** What `lost` says of these chunks, once it says `expected` of them or has had its time. */
  async function lostOf(refs: readonly ChunkRef[], expected: number, graceMs = 0): Promise<(Rescue | undefined)[]> {
    const mine = async () => {
      const lost = await get().store.chunks.lost(graceMs, ALL)
      return refs.map((ref) => lost.find((one) => one.taskId === ref.taskId && one.seq === ref.seq))
    }
    return eventually(mine, (found) => found.filter(Boolean).length === expected)
  }

  it('finds what is planned for too long, and whose lease passed, with all that an enqueuer needs', async () => {
    const { store, make } = get()
    const channel = await make.channel({ platform: 'huawei' })
    const planned = await make.chunk(channel)
    const crashed = await make.chunk(channel, 1, { task: { lane: 'single' } })
    await store.chunks.claim([crashed], PASSED, 1)
    const claimed = (await make.claimed(channel)).ref
    const found = await lostOf([planned, crashed, claimed], 2)
    const { task: _task, ...plannedRef } = planned
    expect(found[0]).toEqual({
      ...plannedRef,
      platform: 'huawei',
      channelId: channel.id,
      lane: 'bulk',
      state: 'planned',
      reason: 'planned',
    })
    expect(found[1]).toMatchObject({ reason: 'lease', state: 'sending', lane: 'single' })
    expect(found[2]).toBeUndefined()
    expect(await lostOf([planned], 0, 60_000)).toEqual([undefined])
    expect(await store.chunks.lost(0, 1)).toHaveLength(1)
  })

  it('finds a deferred remainder only when its time has passed', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const [due, later] = [await make.claimed(channel), await make.claimed(channel)]
    const write = { fence: 1, outcomes: [[0, 'deferred', 'busy']] as const, state: 'queued' as const }
    await store.chunks.write([
      { ...due.ref, ...write, nextAt: new Date(Date.now() - 5000) },
      { ...later.ref, ...write, nextAt: new Date(Date.now() + 60_000) },
    ])
    expect(await lostOf([due.ref, later.ref], 1, 1000)).toMatchObject([
      { reason: 'deferred', state: 'queued' },
      undefined,
    ])
    expect(await lostOf([due.ref], 0, 60_000)).toEqual([undefined])
  })

  it('passes over synchronous chunks and those of paused, ended and scheduled tasks', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const sync = await make.chunk(channel, 1, {
      task: { lane: 'sync' },
      chunk: { state: 'sending', fence: 1, leaseMs: PASSED },
    })
    const refs: ChunkRef[] = [sync]
    for (const state of ['paused', 'scheduled', 'done', 'cancelled', 'failed'] as const) {
      refs.push(await make.chunk(channel, 1, { task: { state } }))
    }
    const control = await make.chunk(channel)
    const found = await lostOf([...refs, control], 1)
    expect(found.map((one) => one?.taskId)).toEqual([...refs.map(() => undefined), control.taskId])
    await store.tasks.update(refs[1]?.taskId ?? '', { state: 'sending' })
    expect((await lostOf(refs, 1))[1]).toBeDefined()
  })

  it('enqueues what is lost again: a new generation, quiet while its lease holds', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const crashed = await make.chunk(channel)
    await store.chunks.claim([crashed], PASSED, 1)
    const { ref: alive } = await make.claimed(channel)
    await lostOf([crashed], 1)
    const requeued = await store.chunks.requeue([crashed, alive, { taskId: '0', seq: 0, gen: 0 }], 10_000)
    expect(requeued).toEqual([{ taskId: crashed.taskId, seq: 0, gen: 1 }])
    expect(await store.chunks.requeue([crashed], 10_000)).toEqual([])
    expect(await chunkOf(store, crashed)).toMatchObject({ state: 'queued', gen: 1, fence: 1, starts: 1 })
    expect(await lostOf([crashed], 0)).toEqual([undefined])
    const [claimed] = await store.chunks.claim([{ ...crashed, gen: 1 }], 10_000, 1)
    expect(claimed?.chunk).toMatchObject({ fence: 2, starts: 2 })
    expect(await store.chunks.requeue([], 1)).toEqual([])
  })

  it('finds what was enqueued again and lost again', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel())
    await lostOf([ref], 1)
    const [first] = await store.chunks.requeue([ref], PASSED)
    expect(first?.gen).toBe(1)
    expect(await lostOf([ref], 1)).toMatchObject([{ gen: 1, reason: 'lease', state: 'queued' }])
  })

  it('is quiet about what still stands in Redis, and leaves it to be claimed', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const planned = await make.chunk(channel)
    const crashed = await make.chunk(channel)
    await store.chunks.claim([crashed], PASSED, 1)
    await lostOf([planned, crashed], 2)
    await store.chunks.stillQueued([planned, crashed], 10_000)
    await store.chunks.stillQueued([], 10_000)
    expect(await lostOf([planned, crashed], 0)).toEqual([undefined, undefined])
    const claimed = await store.chunks.claim([planned, crashed], 10_000, 1)
    expect(claimed.map((one) => one?.chunk.fence)).toEqual([1, 2])
  })
}
