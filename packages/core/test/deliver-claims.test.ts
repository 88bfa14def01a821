import { expect, it } from '@jest/globals'
import { Turns } from '../src/common/turns.ts'
import { Claims } from '../src/deliver/claims.ts'
import type { ChunkRef, Lane } from '../src/index.ts'

/** The tasks whose chunks were claimed by one call each, in order. */
async function calls(asked: readonly { taskId: string; appId: string; lane?: Lane }[]): Promise<string[][]> {
  const claimed: string[][] = []
  const claim = async (refs: readonly ChunkRef[]) => {
    claimed.push(refs.map(({ taskId }) => taskId))
    return refs.map(() => undefined)
  }
  const claims = new Claims(claim, new Turns())
  const one = ({ taskId, appId, lane = 'bulk' }: (typeof asked)[number]) =>
    claims.add({ taskId, seq: 0, gen: 0 }, { lane, firstWindow: 100, appId })
  await Promise.all(asked.map(one))
  return claimed
}

it('lets apps take turns, however many chunks of one are to be claimed', async () => {
  const many = Array.from({ length: 20 }, (_, index) => ({ taskId: `many-${index}`, appId: 'many' }))
  const claimed = await calls([...many, { taskId: 'few', appId: 'few' }])
  expect(claimed.findIndex((tasks) => tasks.includes('few'))).toBeLessThan(2)
  expect(claimed.flat()).toHaveLength(21)
})

it('claims the single pushes of all apps at once', async () => {
  const asked = Array.from({ length: 20 }, (_, index) => ({
    taskId: `${index}`,
    appId: `${index}`,
    lane: 'single' as const,
  }))
  expect(await calls(asked)).toHaveLength(1)
})
