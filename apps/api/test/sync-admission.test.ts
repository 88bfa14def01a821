import { writeFile } from 'node:fs/promises'
import { type Simulator, startSimulator } from '@fanfare/simulator'
import { tempDir } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { bindUsers, message, type Reply, type TestApi, type TestApp, testApi } from './test-api.ts'

jest.setTimeout(60_000)

let simulator: Simulator
let api: TestApi
let app: TestApp

beforeAll(async () => {
  simulator = await startSimulator()
  const caFile = `${await tempDir('ca')}/ca.pem`
  await writeFile(caFile, simulator.caPem)
  api = await testApi({ config: { vendorUrl: simulator.url, vendorCa: caFile } })
})
afterEach(() => {
  simulator.reset()
  simulator.faults.clear()
})
afterAll(async () => {
  await api.close()
  await simulator.close()
})

/** So many may be under way on a channel that has not answered well yet. */
const COLD = 4
const AT_ONCE = 40
const SLOW_MS = 1500

async function flood(tokens: Record<string, string>, times = 1): Promise<Reply[]> {
  const users = Object.keys(tokens)
  app = await api.app()
  await bindUsers(app, tokens, '2882303761517')
  const all = Array.from({ length: times }, () => users).flat()
  return Promise.all(all.map((user) => app.call('POST', `push/sync/${user}`, { pushMessage: message() })))
}
const statusOf = ({ body }: Reply) =>
  (body['data'] as { pushStatus: string; desc?: string }[] | undefined)?.map((one) => one.pushStatus)
const arrivals = () => [...simulator.journal.arrivals('xiaomi').timesMs].sort((one, other) => one - other)

describe('synchronous pushes to a channel that has not proved itself', () => {
  it('start few at once, and all when one was answered', async () => {
    const replies = await flood({ user: `slow-${SLOW_MS}-x` }, AT_ONCE)
    expect(replies.map(statusOf)).toEqual(replies.map(() => ['SUCCESS']))
    const times = arrivals()
    expect(times).toHaveLength(AT_ONCE)
    // The next one started when the first had its answer.
    expect((times[COLD] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(SLOW_MS)
  })

  it('cost few calls where its credentials are refused, and all say so', async () => {
    const replies = await flood({ user: 'denied-1' }, AT_ONCE)
    expect(replies.map(({ body }) => body['data'])).toEqual(
      replies.map(() => [{ pushStatus: 'FAIL', desc: 'invalid notifier' }]),
    )
    expect(arrivals().length).toBeLessThanOrEqual(COLD + 5)
  })

  it('are answered in time where the vendor is silent', async () => {
    const from = performance.now()
    const replies = await flood({ user: 'hang-1' }, AT_ONCE)
    expect(performance.now() - from).toBeLessThan(10_000)
    expect(replies.map(statusOf)).toEqual(replies.map(() => ['ERROR']))
  })
})

/** Where MiPush names no time. */
const BUSY_MS = 1000

describe('a vendor that asks a synchronous push to slow down', () => {
  it('is left alone by the next ones, which wait for it', async () => {
    await flood({ user: 'ok-1' })
    simulator.faults.set({ vendor: 'xiaomi', kind: '429', count: 1 })
    const push = () => app.call('POST', 'push/sync/user', { pushMessage: message() })
    expect(statusOf(await push())).toEqual(['ERROR'])
    expect(statusOf(await push())).toEqual(['SUCCESS'])
    const [, refused = 0, next = 0] = arrivals()
    expect(next - refused).toBeGreaterThanOrEqual(BUSY_MS)
  })
})
