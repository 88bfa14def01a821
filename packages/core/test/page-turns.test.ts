import { expect, it } from '@jest/globals'
import { PageTurns } from '../src/index.ts'

it('plans one page of an app at a time, in the order asked', async () => {
  const turns = new PageTurns()
  const order: number[] = []
  let running = 0
  const page = async (number: number) => {
    const end = await turns.take('7')
    order.push(number)
    expect(++running).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    end()
  }
  await Promise.all([page(0), page(1), page(2)])
  await page(3)
  expect(order).toEqual([0, 1, 2, 3])
})

it('keeps no app waiting for the page of another, however long that takes', async () => {
  const turns = new PageTurns()
  await turns.take('slow')
  const late = turns.take('slow')
  const end = await turns.take('7')
  end()
  expect(await Promise.race([late, Promise.resolve('still waiting')])).toBe('still waiting')
})
