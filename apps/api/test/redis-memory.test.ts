import { type Connection, connect } from '@fanfare/redis'
import { startRedis } from '@fanfare/testkit'
import { afterEach, describe, expect, it } from '@jest/globals'
import { bad, refusal } from './refusals.ts'
import { bindUsers, message, type TestApi, type TestApp, type TestOptions, testApi, until } from './test-api.ts'

let api: TestApi
let app: TestApp
let redis: Awaited<ReturnType<typeof startRedis>>
let client: Connection

afterEach(async () => {
  client.disconnect()
  await api.close()
  await redis.stop()
})

async function start(maxmemory: string, config: TestOptions['config'] = {}): Promise<void> {
  redis = await startRedis({ maxmemory })
  client = connect(redis.url, 'endless')
  api = await testApi({ redis, config: config ?? {} })
  app = await api.app()
  await bindUsers(app, { test1: 'ok-1' })
}

const FILLER_BYTES = 17 * 2 ** 20
const fill = () => client.setrange('filler', FILLER_BYTES, 'x')
const body = { pushMessage: message() }
const sends = [
  ['push/single', { ...body, targets: ['test1'] }],
  ['push/async/test1', body],
  ['push/list', { ...body, targets: ['test1'] }],
  ['push/task', body],
] as const
const isRefused = async () => (await app.call('POST', 'push/async/test1', body)).status === 503

describe('Redis that is full (T16)', () => {
  it('refuses asynchronous pushes with 503 and Retry-After, keeps nothing, and sends synchronous ones', async () => {
    await start('20mb')
    for (const [path, given] of sends) expect((await app.call('POST', path, given)).status).toBe(200)
    await fill()
    await until(isRefused)
    const before = api.writes()
    for (const [path, given] of sends) {
      const reply = await app.call('POST', path, given)
      const text = 'the queue is full, nothing was accepted'
      expect(refusal(reply)).toEqual(bad('service_unavailable', 'ServiceUnavailableException', text, 503))
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    expect(api.writes()).toBe(before)
    expect((await app.call('POST', 'push/sync/test1', body)).status).toBe(200)
    await client.del('filler')
    await until(async () => !(await isRefused()))
  })

  it('is judged by a setting where Redis has no limit itself, and never without one', async () => {
    await start('0', { redisMaxMemoryBytes: 20 * 2 ** 20 })
    await fill()
    await until(isRefused)
    const unlimited = await testApi({ redis })
    try {
      await unlimited.api.ctx.memory.measure()
      expect(unlimited.api.ctx.memory.isFull).toBe(false)
    } finally {
      await unlimited.close()
    }
  })

  it('is measured once a second, however many pushes come', async () => {
    await start('20mb')
    const from = Date.now()
    const count = async () => Number(/cmdstat_info:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
    const before = await count()
    await Promise.all(Array.from({ length: 300 }, () => app.call('POST', 'push/async/test1', body)))
    // `count` itself is one, and ioredis asks for it once for each connection.
    expect((await count()) - before).toBeLessThan(10 + (2 * (Date.now() - from)) / 1000)
  })
})
