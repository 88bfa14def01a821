import type { Enqueue, Log } from '@fanfare/core'
import { type Consumer, consume, consumePlans, type DeliverJob, type JobQueues, openJobs } from '@fanfare/queue'
import { type Connection, connect, disconnect } from '@fanfare/redis'
import { type RedisService, startRedis, until } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { Queue } from 'bullmq'

const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

let redis: RedisService
let client: Connection
let jobs: JobQueues
let consumer: Consumer | undefined
beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'endless')
  jobs = openJobs(redis.url)
})
afterEach(() => consumer?.close(2000))
afterAll(async () => {
  await jobs.close()
  disconnect(client)
  await redis.stop()
})

const item = (taskId: string, over: Partial<Enqueue> = {}): Enqueue => {
  return { taskId, seq: 0, gen: 0, platform: 'xiaomi', channelId: '7', lane: 'single', ...over }
}

function start(handle: (job: DeliverJob) => Promise<undefined>, { concurrency }: { concurrency: number }): void {
  const options = { redisUrl: redis.url, platform: 'xiaomi', holder: 'test', maxBulk: 4, log: quiet } as const
  consumer = consume({ ...options, concurrency, appOf: (channelId: string) => `app of ${channelId}` }, handle)
}

it('takes the few of one app and the chunks of tasks before the many of another, in a long queue', async () => {
  const many = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => item(String(from + index), { appId: 'many', channelId: '1' }))
  await jobs.enqueue(many(1000, 250))
  // The length of the queue is known a moment after it was asked for.
  await until('the queue is known to be long', async () => {
    await new Promise((resolve) => setTimeout(resolve, 30))
    await jobs.enqueue([item('1', { appId: 'many', channelId: '1' })])
    return true
  })
  await jobs.enqueue(many(2000, 1000))
  await jobs.enqueue([item('8', { appId: 'task', channelId: '3', lane: 'bulk' })])
  await jobs.enqueue([item('7', { appId: 'few', channelId: '2' })])
  const order: string[] = []
  start(
    async (job) => {
      order.push(job.taskId)
      expect(job.lane).toBe(job.taskId === '8' ? 'bulk' : 'single')
      return undefined
    },
    { concurrency: 4 },
  )
  await until('all ran', () => order.length === 1253)
  expect(order.indexOf('7')).toBeLessThan(400)
  expect(order.indexOf('8')).toBeLessThan(400)
})

it('plans the tasks of the few before the many of another, which take no more than their part of the places', async () => {
  const many = (from: number, count: number) =>
    Promise.all(Array.from({ length: count }, (_, index) => jobs.enqueuePlan(`${from + index}`, { appId: 'many' })))
  await many(1000, 30)
  // The length of the queue is known a moment after it was asked for.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await many(2000, 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await many(3000, 29)
  await jobs.enqueuePlan('7', { appId: 'few' })
  const queue = new Queue('plan', { connection: client, prefix: '{fanfare:plan}' })
  const first = await queue.getWaiting()
  await queue.close()
  expect(first.map(({ data }) => data.task)).toContain('7')
  expect(first.length).toBeLessThan(45)
  const order: string[] = []
  let running = 0
  let most = 0
  const plans = consumePlans({ redisUrl: redis.url, log: quiet, concurrency: 16 }, async (taskId) => {
    order.push(taskId)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setTimeout(resolve, 20))
    running--
    return false
  })
  await until('all were planned', () => order.length === 61)
  await plans.close(2000)
  expect(most).toBeLessThan(12)
})
