import { type Connection, connect, disconnect } from '@fanfare/redis'
import { type RedisService, startRedis } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { Queue } from 'bullmq'
import { PromptWorker } from '../src/prompt-worker.ts'

const NAME = 'work'
const JOBS = 60

let redis: RedisService
let client: Connection
let queue: Queue
let worker: PromptWorker<object> | undefined
beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'endless')
  queue = new Queue(NAME, { connection: client })
})
afterEach(async () => {
  await worker?.close()
  await queue.obliterate({ force: true })
})
afterAll(async () => {
  await queue.close()
  disconnect(client)
  await redis.stop()
})

/** Runs all the jobs, `concurrency` at once; answers what each of them got from `run`. */
async function runAll<T>(concurrency: number, run: (running: number) => Promise<T>): Promise<T[]> {
  await queue.addBulk(Array.from({ length: JOBS }, () => ({ name: 'job', data: {} })))
  const results: T[] = []
  let running = 0
  await new Promise<void>((resolve, reject) => {
    const work = async () => {
      running++
      results.push(await run(running).finally(() => running--))
    }
    worker = new PromptWorker<object>(NAME, work, { connection: client, concurrency })
    worker.on('error', reject)
    worker.on('completed', () => results.length === JOBS && resolve())
  })
  return results
}

it('begins a job as soon as it is fetched, however many wait to be fetched too', async () => {
  const active = await runAll(100, () => queue.getActiveCount())
  expect(active[0]).toBeLessThan(5)
})

it('holds as many jobs at once as it may, and no more', async () => {
  let most = 0
  await runAll(10, async (running) => {
    most = Math.max(most, running)
    await new Promise((resolve) => setTimeout(resolve, 20))
  })
  expect(most).toBe(10)
})

it('runs each job once', async () => {
  const order: number[] = []
  await runAll(2, async (running) => {
    order.push(running)
  })
  expect(order).toHaveLength(JOBS)
  expect(await queue.getCompletedCount()).toBe(JOBS)
})
