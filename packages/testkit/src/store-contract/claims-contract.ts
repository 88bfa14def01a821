import { expect, it } from '@jest/globals'
import { members } from '../make.ts'
import { chunkOf, type GetSubject, PASSED } from './subject.ts'

export function claimCases(get: GetSubject): void {
  it('gives a planned chunk to the claimer with its task, fenced and leased', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const ref = await make.chunk(channel, 5)
    const before = await store.now()
    const [claimed] = await store.chunks.claim([ref], 10_000, 3)
    expect(claimed?.chunk).toMatchObject({ taskId: ref.taskId, seq: 0, state: 'sending', gen: 0, fence: 1, starts: 1 })
    expect(claimed?.chunk).toMatchObject({ started: 3, members: members(5), outcomes: Array(5).fill('unsent') })
    expect(claimed?.chunk.leaseUntil?.getTime()).toBeGreaterThan(before.getTime() + 9000)
    expect(claimed?.task).toMatchObject({ id: ref.taskId, message: ref.task.message, state: 'sending' })
    expect(await chunkOf(store, ref)).toMatchObject({ state: 'sending', fence: 1, started: 3 })
    expect(await store.chunks.claim([], 1, 1)).toEqual([])
  })

  it('answers in the order asked; what cannot be had is undefined', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const [a, b] = [await make.chunk(channel), await make.chunk(channel, 2)]
    const none = { taskId: '0', seq: 0, gen: 0 }
    const claimed = await store.chunks.claim([b, none, a, { ...a, seq: 7 }, a], 10_000, 100)
    expect(claimed.map((one) => one?.chunk.taskId)).toEqual([b.taskId, undefined, a.taskId, undefined, undefined])
    expect(claimed.map((one) => one?.chunk.started)).toEqual([2, undefined, 1, undefined, undefined])
    expect(await store.chunks.claim([a, b], 10_000, 100)).toEqual([undefined, undefined])
  })

  it('lets exactly one of many racing claimers have each', async () => {
    const { store, make, reopen } = get()
    const channel = await make.channel()
    const refs = await Promise.all(Array.from({ length: 20 }, () => make.chunk(channel)))
    const other = reopen ? await reopen() : store
    const rounds = await Promise.all(
      Array.from({ length: 6 }, (_, index) => (index % 2 ? store : other).chunks.claim(refs, 10_000, 1)),
    )
    if (other !== store) await other.close()
    const winners = refs.map((_, index) => rounds.filter((round) => round[index] !== undefined).length)
    expect(winners).toEqual(refs.map(() => 1))
  })

  it('gives a chunk whose lease passed to the next, with a higher fence', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 3)
    await store.chunks.claim([ref], PASSED, 2)
    const [second] = await store.chunks.claim([ref], 10_000, 3)
    expect(second?.chunk).toMatchObject({ fence: 2, starts: 2, started: 3, outcomes: Array(3).fill('unsent') })
    expect(await store.chunks.claim([ref], 10_000, 3)).toEqual([undefined])
  })

  it('of a drop task, what a crashed claimer may have sent is unknown and not sent again', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 5, { task: { onUnknown: 'drop' } })
    const [first] = await store.chunks.claim([ref], PASSED, 3)
    await store.chunks.write([{ ...ref, fence: first?.chunk.fence ?? 0, outcomes: [[0, 'sent']], leaseMs: PASSED }])
    const [second] = await store.chunks.claim([ref], PASSED, 5)
    expect(second?.chunk.outcomes).toEqual(['sent', 'unknown', 'unknown', 'unsent', 'unsent'])
    expect((await chunkOf(store, ref)).outcomes).toEqual(second?.chunk.outcomes)
    expect((await store.tasks.counts(ref.taskId))[0]?.byOutcome).toEqual({ sent: 1, unknown: 2, unsent: 2 })
    expect(await store.chunks.claim([ref], 10_000, 5)).toEqual([undefined])
    expect(await chunkOf(store, ref)).toMatchObject({ state: 'done', outcomes: ['sent', ...Array(4).fill('unknown')] })
  })

  it('refuses chunks of tasks that are not being sent, or expired, or of a later generation than the chunk', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    for (const state of ['scheduled', 'paused', 'done', 'cancelled', 'failed'] as const) {
      const ref = await make.chunk(channel, 1, { task: { state } })
      expect([state, await store.chunks.claim([ref], 10_000, 1)]).toEqual([state, [undefined]])
    }
    const expired = await make.chunk(channel, 1, { task: { expiresAt: new Date(Date.now() - 1000) } })
    expect(await store.chunks.claim([expired], 10_000, 1)).toEqual([undefined])
    const planning = await make.chunk(channel, 1, { task: { state: 'planning' } })
    expect(await store.chunks.claim([{ ...planning, gen: 1 }], 10_000, 1)).toEqual([undefined])
    expect((await store.chunks.claim([planning], 10_000, 1))[0]?.task.state).toBe('planning')
  })

  it('refuses waiting, done and synchronous chunks', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const waiting = await make.chunk(channel, 1, { chunk: { state: 'waiting' } })
    const { chunk } = await make.claimed(channel)
    await store.chunks.write([{ ...chunk, outcomes: [[0, 'sent']], state: 'done' }])
    const done = { taskId: chunk.taskId, seq: 0, gen: 0 }
    const sync = await make.chunk(channel, 1, {
      task: { lane: 'sync' },
      chunk: { state: 'sending', fence: 1, starts: 1, started: 1, leaseMs: PASSED },
    })
    expect(await store.chunks.claim([waiting, done, sync], 10_000, 1)).toEqual([undefined, undefined, undefined])
    const { leaseUntil } = await chunkOf(store, sync)
    expect(Math.abs((leaseUntil?.getTime() ?? 0) - PASSED - (await store.now()).getTime())).toBeLessThan(10_000)
  })
}
