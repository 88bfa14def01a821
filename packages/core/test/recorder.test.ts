import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, jest } from '@jest/globals'
import { StoreDownError } from '../src/common/errors.ts'
import { Recorder } from '../src/deliver/recorder.ts'
import type { ChunkWrite } from '../src/ports/store/chunks.ts'

/** A store that remembers its calls and answers what `answer` says. */
function storeOf(answer: (writes: readonly ChunkWrite[]) => Promise<boolean[]> | boolean[] = (w) => w.map(() => true)) {
  const calls: ChunkWrite[][] = []
  const write = async (writes: readonly ChunkWrite[]) => {
    calls.push([...writes])
    return answer(writes)
  }
  return { calls, store: { chunks: { write } } }
}
const of = (seq: number, more: Partial<ChunkWrite> = {}): ChunkWrite => ({ taskId: '1', seq, fence: 1, ...more })

const turns = async (): Promise<void> => {
  for (let count = 0; count < 5; count++) await turn()
}

describe('the recorder', () => {
  it('writes what comes in one tick in one call, merged by chunk', async () => {
    const { calls, store } = storeOf()
    const recorder = new Recorder({ store })
    const held = await Promise.all([
      recorder.write(of(1, { outcomes: [[0, 'sent']] })),
      recorder.write(of(2, { outcomes: [[0, 'rejected', 'too long']], state: 'done' })),
      recorder.write(of(1, { outcomes: [[1, 'sent']], state: 'done' })),
    ])
    expect(held).toEqual([true, true, true])
    expect(calls).toEqual([
      [
        of(1, {
          outcomes: [
            [0, 'sent'],
            [1, 'sent'],
          ],
          state: 'done',
        }),
        of(2, { outcomes: [[0, 'rejected', 'too long']], state: 'done' }),
      ],
    ])
  })

  it('lets last results wait for the next claim, marks for nothing, and shares one call among them', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] })
    const { calls, store } = storeOf()
    const recorder = new Recorder({ store })
    const done = (seq: number) => recorder.write(of(seq, { outcomes: [[0, 'sent']], state: 'done' }))
    const first = done(1)
    await turns()
    recorder.join()
    await first
    const second = done(2)
    await turns()
    await Promise.all([second, recorder.write(of(3, { started: 100, leaseMs: 1000 }))])
    const third = done(4)
    await turns()
    jest.advanceTimersByTime(50)
    await third
    jest.useRealTimers()
    expect(calls.map((writes) => writes.map(({ seq }) => seq))).toEqual([[1], [2, 3], [4]])
  })

  it('refuses only who asks for a further window where results share its write', async () => {
    const { calls, store } = storeOf((writes) => writes.map(({ started }) => started === undefined))
    const recorder = new Recorder({ store })
    const results = recorder.write(of(1, { outcomes: [[0, 'sent']] }))
    const window = recorder.write(of(1, { started: 200, leaseMs: 1000 }))
    expect(await Promise.all([results, window])).toEqual([true, false])
    expect(calls).toHaveLength(1)
  })

  it('keeps results while the store is away, says so, and writes them when it is back', async () => {
    let away = true
    const { calls, store } = storeOf((writes) => {
      if (away) throw new StoreDownError('away')
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store })
    const written = recorder.write(of(1, { outcomes: [[0, 'sent']], state: 'done' }))
    while (recorder.ready) await new Promise((resolve) => setImmediate(resolve))
    away = false
    expect(await written).toBe(true)
    expect(recorder.ready).toBe(true)
    expect(calls.at(-1)).toEqual([of(1, { outcomes: [[0, 'sent']], state: 'done' })])
    await recorder.idle()
  })

  it('takes no more than its bound', async () => {
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { store } = storeOf(async (writes) => {
      await gate
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store, maxPending: 2 })
    const outcomes = [
      [0, 'sent'],
      [1, 'sent'],
      [2, 'sent'],
    ] as const
    const written = recorder.write(of(1, { outcomes }))
    expect(recorder.ready).toBe(false)
    release()
    await written
    await recorder.idle()
    expect(recorder.ready).toBe(true)
  })

  it('keeps what others wrote beside a write that the store cannot take, and this one without its reasons', async () => {
    const { store } = storeOf((writes) => {
      if (writes.some((write) => write.outcomes?.some(([, , reason]) => reason === 'poison')))
        throw new TypeError('bad')
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store })
    const written = await Promise.all(
      [1, 2, 3, 4, 5].map((seq) =>
        recorder.write(of(seq, { outcomes: [[0, 'rejected', seq === 4 ? 'poison' : 'too long']], state: 'done' })),
      ),
    )
    expect(written).toEqual([true, true, true, true, true])
  })

  it('ends the chunk that cannot be recorded at all, and no other', async () => {
    const { calls, store } = storeOf((writes) => {
      if (writes.some(({ seq, outcomes }) => seq === 2 && outcomes)) throw new TypeError('bad')
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store })
    const written = await Promise.all(
      [1, 2, 3].map((seq) => recorder.write(of(seq, { outcomes: [[0, 'sent']], started: 100 }))),
    )
    expect(written).toEqual([true, false, true])
    expect(calls.flat().filter(({ seq, outcomes }) => seq === 2 && !outcomes)).toEqual([of(2, { state: 'done' })])
  })

  it('stops only the sender of a chunk whose row nobody can write', async () => {
    const { store } = storeOf((writes) => {
      if (writes.some(({ seq }) => seq === 2)) throw new TypeError('bad')
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store })
    const written = await Promise.all([1, 2, 3].map((seq) => recorder.write(of(seq, { state: 'done' }))))
    expect(written).toEqual([true, false, true])
  })

  it('goes on where the store goes away while a guilty write is looked for', async () => {
    let away = 2
    const { store } = storeOf((writes) => {
      if (writes.length > 1) throw new TypeError('bad')
      if (away-- > 0) throw new StoreDownError('away')
      return writes.map(() => true)
    })
    const recorder = new Recorder({ store })
    expect(await Promise.all([1, 2].map((seq) => recorder.write(of(seq, { state: 'done' }))))).toEqual([true, true])
  })

  it('tells the zombie, and only the zombie', async () => {
    const { store } = storeOf((writes) => writes.map((write) => write.seq !== 2))
    const recorder = new Recorder({ store })
    const held = await Promise.all([1, 2, 3].map((seq) => recorder.write(of(seq, { state: 'done' }))))
    expect(held).toEqual([true, false, true])
  })
})
