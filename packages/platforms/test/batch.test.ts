import type { PlatformName } from '@fanfare/core'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { batchOf, type Lab, never, startLab } from './lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await startLab()
})
afterAll(() => lab.close())

const VENDORS = ['apns', 'fcm', 'xiaomi', 'huawei', 'wecom', 'email'] as const
const tokensOf = (platform: PlatformName, count: number) =>
  Array.from({ length: count }, (_, n) => {
    if (platform === 'apns') return n.toString(16).padStart(64, '0')
    return platform === 'email' ? `ok-${n}@example.com` : `ok-${n}`
  })

describe.each(VENDORS)('a batch for %s', (platform) => {
  it("carries the vendor's answer where it wants it, however many members it has", async () => {
    const pusher = await lab.open(platform)
    for (const [count, wantsReply] of [
      [12, true],
      [1, false],
    ] as const) {
      const results = await pusher.push({ ...batchOf(tokensOf(platform, count)), wantsReply }, never)
      expect(results.map(({ outcome }) => outcome)).toEqual(new Array(count).fill('sent'))
      expect(results.filter(({ reply }) => reply !== undefined)).toHaveLength(wantsReply ? count : 0)
    }
  })
})

describe('a message that the vendor would refuse', () => {
  const unfit = { title: 'Order', content: 'x'.repeat(200_000) }

  it.each(VENDORS)('is refused for all members before %s is asked', async (platform) => {
    const pusher = await lab.open(platform)
    const message = platform === 'email' ? { ...unfit, content: 'x'.repeat(2_000_000) } : unfit
    const requests = () => lab.simulator.journal.counts().requests
    const before = requests()
    const results = await pusher.push(batchOf(tokensOf(platform, 3), message), never)
    expect(requests()).toBe(before)
    expect(results).toEqual(['0', '1', '2'].map((id) => ({ id, outcome: 'rejected', reason: expect.any(String) })))
  })
})
