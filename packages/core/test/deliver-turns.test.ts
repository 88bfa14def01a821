import { expect, it } from '@jest/globals'
import { Turns } from '../src/deliver-turns.ts'

/** In which turn of the event loop each piece began. */
async function began(order: readonly ('going' | 'new')[]): Promise<Map<number, number>> {
  const turns = new Turns()
  const at = new Map<number, number>()
  let turn = 0
  const count = () => {
    turn++
    if (at.size < order.length) setImmediate(count)
  }
  setImmediate(count)
  await Promise.all(order.map((rank, piece) => turns.next(rank).then(() => at.set(piece, turn))))
  return at
}

it('gives no two pieces of work the same turn of the event loop', async () => {
  const at = await began(['new', 'new', 'new', 'going', 'going'])
  expect(new Set(at.values()).size).toBe(5)
})

it('lets chunks that have begun go before new ones, each rank in the order asked', async () => {
  const at = await began(['new', 'going', 'new', 'going'])
  const inOrder = [...at].sort(([, one], [, other]) => one - other).map(([piece]) => piece)
  expect(inOrder).toEqual([1, 3, 0, 2])
})
