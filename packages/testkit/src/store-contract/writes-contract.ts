import { type Outcome, REASONS_PER_CHUNK } from '@fanfare/core'
import { expect, it } from '@jest/globals'
import { chunkOf, type GetSubject, PASSED } from './subject.ts'

export function writeCases(get: GetSubject): void {
  it('records outcomes and reasons; a final outcome never changes', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel(), 4)
    const own = { taskId: ref.taskId, seq: 0, fence: 1 }
    const first = [
      [0, 'sent'],
      [1, 'invalid', 'gone'],
      [2, 'deferred', 'busy'],
    ] as const
    const second = [
      [0, 'rejected', 'late'],
      [1, 'sent'],
      [2, 'sent'],
      [3, 'rejected', 'gone'],
      [4, 'sent'],
    ] as const
    expect(await store.chunks.write([{ ...own, outcomes: first }])).toEqual([true])
    expect(await chunkOf(store, ref)).toMatchObject({
      state: 'sending',
      outcomes: ['sent', 'invalid', 'deferred', 'unsent'],
      reasons: { gone: [1], busy: [2] },
    })
    expect(await store.chunks.write([{ ...own, outcomes: second, state: 'done' }])).toEqual([true])
    const chunk = await chunkOf(store, ref)
    expect(chunk).toMatchObject({ state: 'done', outcomes: ['sent', 'invalid', 'sent', 'rejected'] })
    expect(chunk.reasons).toEqual({ gone: [1, 3] })
    expect(chunk.leaseUntil).toBeUndefined()
    expect((await store.tasks.counts(ref.taskId))[0]).toMatchObject({
      byOutcome: { sent: 2, invalid: 1, rejected: 1 },
      byReason: { gone: 2 },
    })
  })

  it('keeps nothing of a zombie', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 2)
    const [zombie] = await store.chunks.claim([ref], PASSED, 2)
    const [owner] = await store.chunks.claim([ref], 10_000, 2)
    const write = { ...ref, outcomes: [[0, 'rejected', 'zombie']] as const, state: 'done' as const }
    expect(await store.chunks.write([{ ...write, fence: zombie?.chunk.fence ?? 0 }])).toEqual([false])
    expect(await chunkOf(store, ref)).toEqual(owner?.chunk)
    expect(await store.chunks.write([{ ...ref, fence: owner?.chunk.fence ?? 0, started: 2 }])).toEqual([true])
    expect(await store.chunks.write([{ ...write, fence: 99 }])).toEqual([false])
    expect(await store.chunks.write([{ ...write, taskId: '0', fence: 1 }])).toEqual([false])
    expect(await store.chunks.write([])).toEqual([])
  })

  it('writes the others of a list that has a zombie in its middle', async () => {
    const { store, make } = get()
    const channel = await make.channel()
    const [a, b, c] = [await make.claimed(channel), await make.claimed(channel), await make.claimed(channel)]
    const answers = await store.chunks.write(
      [a, b, c].map(({ ref, chunk }) => ({
        ...ref,
        fence: ref === b.ref ? 99 : chunk.fence,
        outcomes: [[0, 'sent']] as const,
        state: 'done' as const,
      })),
    )
    expect(answers).toEqual([true, false, true])
    const found = await store.chunks.byRefs([a.ref, b.ref, c.ref])
    expect(found.map((chunk) => chunk?.state)).toEqual(['done', 'sending', 'done'])
  })

  it('refuses writes to a chunk that is done', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel())
    const write = { ...ref, fence: 1, outcomes: [[0, 'sent']] as const, state: 'done' as const }
    expect(await store.chunks.write([write])).toEqual([true])
    expect(await store.chunks.write([{ ...write, outcomes: [[0, 'rejected', 'x']] }])).toEqual([false])
    expect((await chunkOf(store, ref)).outcomes).toEqual(['sent'])
  })

  it('marks windows and prolongs the lease', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 10)
    await store.chunks.claim([ref], PASSED, 2)
    expect(await store.chunks.write([{ ...ref, fence: 1, started: 6, leaseMs: 10_000 }])).toEqual([true])
    expect(await chunkOf(store, ref)).toMatchObject({ started: 6, fence: 1, starts: 1 })
    expect(await store.chunks.claim([ref], 10_000, 2)).toEqual([undefined])
  })

  it('lets a deferred remainder wait until its time, as a clean end of the start', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel(), 3)
    const outcomes: [number, Outcome, string?][] = [
      [0, 'sent'],
      [1, 'deferred', 'busy'],
    ]
    const nextAt = new Date(Date.now() + 60_000)
    const write = { ...ref, fence: 1, outcomes, state: 'queued' as const, nextAt, countTry: true }
    expect(await store.chunks.write([write])).toEqual([true])
    expect(await chunkOf(store, ref)).toMatchObject({ state: 'queued', tries: 1, starts: 0, started: 0, nextAt })
    expect(await store.chunks.claim([ref], 10_000, 3)).toEqual([undefined])
  })

  it('hands a remainder out again when its time has come; released members are not in doubt', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel(), 3, { task: { onUnknown: 'drop' } })
    const write = { ...ref, fence: 1, outcomes: [[0, 'sent']] as const, state: 'queued' as const }
    expect(await store.chunks.write([{ ...write, nextAt: new Date(Date.now() - 1) }])).toEqual([true])
    const [again] = await store.chunks.claim([ref], 10_000, 3)
    expect(again?.chunk).toMatchObject({ fence: 2, tries: 0, outcomes: ['sent', 'unsent', 'unsent'] })
    expect(again?.chunk.nextAt).toBeUndefined()
  })

  it('still takes results of a claimer whose chunk was enqueued again but not claimed', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 2)
    await store.chunks.claim([ref], PASSED, 2)
    const [requeued] = await store.chunks.requeue([ref], 10_000)
    expect(requeued).toEqual({ taskId: ref.taskId, seq: 0, gen: 1 })
    const outcomes = [0, 1].map((index) => [index, 'sent'] as const)
    expect(await store.chunks.write([{ ...ref, fence: 1, outcomes, state: 'done' }])).toEqual([true])
    expect(await store.chunks.claim([{ ...ref, gen: 1 }], 10_000, 2)).toEqual([undefined])
  })

  it('calls members unknown that a claimer leaves open in a chunk it ends', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel(), 2)
    expect(await store.chunks.write([{ ...ref, fence: 1, outcomes: [[0, 'sent']], state: 'done' }])).toEqual([true])
    const chunk = await chunkOf(store, ref)
    expect(chunk.outcomes).toEqual(['sent', 'unknown'])
    expect(Object.values(chunk.reasons)).toEqual([[1]])
  })

  it('stops the sender of a cancelled task: results in flight count, the rest is cancelled', async () => {
    const { store, make } = get()
    const ref = await make.chunk(await make.channel(), 5)
    await store.chunks.claim([ref], 10_000, 3)
    await store.tasks.update(ref.taskId, { state: 'cancelled' })
    await store.chunks.cancel(ref.taskId)
    expect(await chunkOf(store, ref)).toMatchObject({ state: 'sending', outcomes: Array(5).fill('unsent') })
    const flush = { ...ref, fence: 1, outcomes: [[0, 'sent']] as const }
    expect(await store.chunks.write([{ ...flush, started: 5 }])).toEqual([false])
    expect((await chunkOf(store, ref)).outcomes).toEqual(['sent', 'unsent', 'unsent', 'cancelled', 'cancelled'])
    const rest = [1, 2].map((index) => [index, 'sent'] as const)
    await store.chunks.write([{ ...ref, fence: 1, outcomes: rest, state: 'done' }])
    const chunk = await chunkOf(store, ref)
    expect(chunk).toMatchObject({ state: 'done', outcomes: ['sent', 'sent', 'sent', 'cancelled', 'cancelled'] })
  })

  it('cancels a deferred remainder at the write that would let it wait', async () => {
    const { store, make } = get()
    const { ref } = await make.claimed(await make.channel(), 3)
    await store.tasks.update(ref.taskId, { state: 'cancelled' })
    const outcomes: [number, Outcome, string?][] = [
      [0, 'sent'],
      [1, 'deferred', 'busy'],
    ]
    await store.chunks.write([{ ...ref, fence: 1, outcomes, state: 'queued', nextAt: new Date(Date.now() + 60_000) }])
    expect(await chunkOf(store, ref)).toMatchObject({ state: 'done', outcomes: ['sent', 'cancelled', 'cancelled'] })
  })

  it('counts reasons by any name exactly, and bounds how many a chunk has', async () => {
    const { store, make } = get()
    const odd = ['constructor', '__proto__', 'toString', 'hasOwnProperty', '$where', 'a.b', '']
    const { ref } = await make.claimed(await make.channel(), 200)
    const outcomes = Array.from({ length: 200 }, (_, index): [number, Outcome, string] => [
      index,
      'deferred',
      odd[index] ?? `reason ${index}`,
    ])
    const own = { taskId: ref.taskId, seq: 0, fence: 1 }
    expect(await store.chunks.write([{ ...own, outcomes }])).toEqual([true])
    const again = outcomes.map(([index, , reason]): [number, Outcome, string] => [index, 'rejected', reason])
    expect(await store.chunks.write([{ ...own, outcomes: again, state: 'done' }])).toEqual([true])
    const { reasons } = await chunkOf(store, ref)
    const [counts] = await store.tasks.counts(ref.taskId)
    for (const [index, reason] of odd.entries()) {
      expect(Object.entries(reasons).find(([name]) => name === reason)).toEqual([reason, [index]])
      expect(Object.entries(counts?.byReason ?? {}).find(([name]) => name === reason)).toEqual([reason, 1])
    }
    expect(Object.keys(reasons).length).toBeLessThanOrEqual(REASONS_PER_CHUNK + 1)
    expect(Object.values(reasons).flat()).toHaveLength(200)
    expect(Object.values(counts?.byReason ?? {}).reduce((sum, count) => sum + count)).toBe(200)
  })
}
