import type { AskAgain } from '@fanfare/core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { batchOf, type Lab, never, serviceAccount, startLab } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())
beforeEach(() => lab.simulator.reset())

const tokens = (count: number, name = 'ok') => Array.from({ length: count }, (_, index) => `${name}-x${index}`)
const requests = () => lab.simulator.journal.counts().requests

/** Gives what it is told to, one after the other, and notes what it was asked for. */
function asks(...leaves: ({ members: number } | { afterMs: number })[]) {
  const asked: number[] = []
  const again: AskAgain = async (members) => {
    asked.push(members)
    return leaves[asked.length - 1] ?? { members }
  }
  return { asked, again }
}

describe('a batch that Xiaomi wants split', () => {
  it('asks for each half', async () => {
    const pusher = await lab.open('xiaomi')
    const { asked, again } = asks()
    await pusher.push({ ...batchOf(tokens(9, 'gone')), again }, never)
    expect(asked).toEqual([5, 4])
    expect(requests()).toBe(3)
  })

  it('waits where it gets no permit, and goes on where it stopped', async () => {
    const pusher = await lab.open('xiaomi')
    const batch = batchOf(tokens(9, 'gone'))
    const first = asks({ afterMs: 700 })
    const waiting = await pusher.push({ ...batch, again: first.again }, never)
    expect(waiting).toEqual(
      batch.members.map(({ id }) => expect.objectContaining({ id, outcome: 'deferred', free: true, afterMs: 700 })),
    )
    expect(requests()).toBe(1)
    // The permit of the batch is that of its first half.
    const second = asks({ afterMs: 300 })
    const half = await pusher.push({ ...batch, again: second.again }, never)
    expect(half.map(({ outcome }) => outcome)).toEqual([
      ...new Array(5).fill('rejected'),
      ...new Array(4).fill('deferred'),
    ])
    expect(requests()).toBe(2)
    const rest = { ...batch, members: batch.members.slice(5) }
    const third = asks()
    expect((await pusher.push({ ...rest, again: third.again }, never)).every((one) => one.outcome === 'rejected')).toBe(
      true,
    )
    expect(third.asked).toEqual([])
    expect(requests()).toBe(3)
  })

  it('goes out in as many requests as it gets leave for', async () => {
    const pusher = await lab.open('xiaomi')
    const { asked, again } = asks({ members: 2 }, { members: 3 }, { members: 4 })
    const results = await pusher.push({ ...batchOf(tokens(9, 'gone')), again }, never)
    expect(results.every(({ outcome }) => outcome === 'rejected')).toBe(true)
    expect(asked).toEqual([5, 5, 4])
    expect(requests()).toBe(4)
  })
})

describe('members whose access token was refused', () => {
  it.each(['fcm', 'huawei', 'wecom'] as const)('of %s ask before they are sent again', async (platform) => {
    const more = platform === 'fcm' ? { credential: serviceAccount('again') } : {}
    const pusher = await lab.open(platform, more)
    const { asked, again } = asks()
    const results = await pusher.push({ ...batchOf(['expired-1-a', 'ok-1']), again }, never)
    expect(results.map(({ outcome }) => outcome)).toEqual(['sent', 'sent'])
    // FCM refused one request, the others refused the batch.
    expect(asked).toEqual([platform === 'fcm' ? 1 : 2])
  })

  it('wait free of charge where they get no permit, and a second refusal is a credential error', async () => {
    const pusher = await lab.open('fcm', { credential: serviceAccount('waits') })
    const batch = batchOf(['expired-always'])
    const { again } = asks({ afterMs: 900 })
    expect(await pusher.push({ ...batch, again }, never)).toEqual([
      expect.objectContaining({ outcome: 'deferred', afterMs: 900, free: true }),
    ])
    expect(requests()).toBe(1)
    const second = asks()
    await expect(pusher.push({ ...batch, again: second.again }, never)).rejects.toThrow('channel refused')
    expect(second.asked).toEqual([])
    expect(requests()).toBe(2)
  })
})
