import { describe, expect, it } from '@jest/globals'
import { Batcher, StoreDownError } from '../src/index.ts'

describe('Batcher', () => {
  it('joins the calls of one tick and answers each in order', async () => {
    const runs: number[][] = []
    const batcher = new Batcher<number, number>(
      async (items) => {
        runs.push(items)
        return items.map((item) => item * 10)
      },
      { maxItems: 3 },
    )
    expect(await Promise.all([1, 2, 3, 4].map((item) => batcher.add(item)))).toEqual([10, 20, 30, 40])
    expect(runs).toEqual([[1, 2, 3], [4]])
  })

  it('lets the next batch grow while a run is under way', async () => {
    const runs: string[][] = []
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const batcher = new Batcher<string, string>(
      async (items) => {
        runs.push(items)
        if (runs.length === 1) await gate
        return items
      },
      { maxItems: 100 },
    )
    const first = batcher.add('a')
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    const rest = ['b', 'c', 'd'].map((item) => batcher.add(item))
    open()
    await Promise.all([first, ...rest])
    expect(runs).toEqual([['a'], ['b', 'c', 'd']])
  })

  it('rejects only the guilty item where items are kept apart, and all where the store is away', async () => {
    let away = false
    const runs: number[][] = []
    const batcher = new Batcher<number, number>(
      async (items) => {
        runs.push(items)
        if (away) throw new StoreDownError('away')
        if (items.includes(3)) throw new TypeError('bad')
        return items
      },
      { maxItems: 10, apart: true },
    )
    const some = await Promise.allSettled([1, 2, 3, 4].map((item) => batcher.add(item)))
    expect(some.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(runs).toEqual([[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]])
    away = true
    const none = await Promise.allSettled([1, 2].map((item) => batcher.add(item)))
    expect(none.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(runs).toHaveLength(6)
  })

  it('rejects every item of a failed run and goes on', async () => {
    let failing = true
    const batcher = new Batcher<number, number>(
      async (items) => {
        if (failing) throw new Error('down')
        return items
      },
      { maxItems: 10 },
    )
    const both = await Promise.allSettled([batcher.add(1), batcher.add(2)])
    expect(both.map((result) => result.status)).toEqual(['rejected', 'rejected'])
    failing = false
    expect(await batcher.add(3)).toBe(3)
  })

  it('begins at once after a pause, and else so long after the run before that more share the next', async () => {
    const runs: { items: number[]; at: number }[] = []
    const run = async (items: number[]) => {
      runs.push({ items, at: performance.now() })
      return items
    }
    const batcher = new Batcher<number, number>(run, { maxItems: 4, gapMs: 200 })
    await batcher.add(1)
    const [first = { at: 0 }] = runs
    await Promise.all([2, 3].map((item) => batcher.add(item)))
    expect(runs.map(({ items }) => items)).toEqual([[1], [2, 3]])
    expect((runs[1]?.at ?? 0) - first.at).toBeGreaterThanOrEqual(198)
  })
})
