import { expect, it } from '@jest/globals'
import type { Account } from '../src/rate-limiter/account.ts'
import { type Hold, LossWatch } from '../src/rate-limiter/loss.ts'

const accountOf = (n: number): Account =>
  ({
    key: `a${n}`,
    channelId: String(n),
    limits: { rate: 1, unit: 'request', perMs: 86_400_000 },
    version: 0,
  }) as Account

it('remembers so many accounts with long windows, and those used last', () => {
  const held: string[] = []
  const hold = (holds: readonly Hold[]) => void held.push(...holds.map(({ of }) => of.channelId))
  const watch = new LossWatch({ leaseMs: 1000, look: () => Promise.resolve(), hold, most: 100 })
  watch.saw('first')
  watch.used(accountOf(0))
  for (let n = 1; n < 1000; n++) {
    watch.used(accountOf(n))
    watch.used(accountOf(0))
  }
  watch.saw('second')
  watch.close()
  expect(held).toHaveLength(100)
  expect(held).toEqual(expect.arrayContaining(['0', '999', '901']))
})
