import { expect, it } from '@jest/globals'
import { Turns } from '../src/common/turns.ts'

/** In which turn of the event loop each piece began. */
async function began(
  order: readonly ('going' | 'new')[],
  appOf: (piece: number) => string = () => '',
): Promise<Map<number, number>> {
  const turns = new Turns()
  const at = new Map<number, number>()
  let turn = 0
  const count = () => {
    turn++
    if (at.size < order.length) setImmediate(count)
  }
  setImmediate(count)
  await Promise.all(order.map((rank, piece) => turns.next(rank, appOf(piece)).then(() => at.set(piece, turn))))
  return at
}

const inOrder = (at: Map<number, number>): number[] =>
  [...at].sort(([, one], [, other]) => one - other).map(([piece]) => piece)

it('gives no two pieces of work the same turn of the event loop', async () => {
  const at = await began(['new', 'new', 'new', 'going', 'going'])
  expect(new Set(at.values()).size).toBe(5)
})

it('lets chunks that have begun go before new ones, each rank in the order asked', async () => {
  const at = await began(['new', 'going', 'new', 'going'])
  expect(inOrder(at)).toEqual([1, 3, 0, 2])
})

it('lets apps take turns, however much one of them has waiting', async () => {
  const at = await began(new Array(10).fill('going'), (piece) => (piece < 9 ? 'many' : 'few'))
  expect(inOrder(at).indexOf(9)).toBe(1)
})

it('lets something begin now and then, however much goes on', async () => {
  const at = await began([...new Array(30).fill('going'), 'new'])
  expect(inOrder(at).indexOf(30)).toBe(8)
})

it('lets what begins of one app go before what goes on of another', async () => {
  const at = await began([...new Array(30).fill('going'), 'new'], (piece) => (piece < 30 ? 'many' : 'few'))
  expect(inOrder(at).indexOf(30)).toBe(1)
})
