import { startRedis } from '@fanfare/testkit'
import { WorkerService } from '@fanfare/worker'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { Rig } from './rig.ts'

let rig: Rig
let workers: WorkerService[] = []

beforeAll(async () => {
  rig = await Rig.start()
})
afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.destroy()))
  workers = []
  await rig.clear()
})
afterAll(() => rig.stop())

const loud = () => rig.logged.filter(({ level }) => level !== 'info')
const logged = async (text: string) => {
  const deadline = performance.now() + 20_000
  while (!loud().some((line) => JSON.stringify(line).includes(text))) {
    if (performance.now() > deadline) throw new Error(`not logged: ${text}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A worker that is starting, and whether its start has ended. */
async function starting(redisUrl: string) {
  const worker = await WorkerService.create({ ...rig.config, redisUrl }, { log: rig.log })
  workers.push(worker)
  const state = { ready: false, started: worker.start() }
  void state.started.then(() => {
    state.ready = true
  })
  return state
}

it('says nothing at a healthy start', async () => {
  await (await starting(rig.redis.url)).started
  expect(loud()).toEqual([])
})

it('is ready only when Redis is there', async () => {
  const redis = await startRedis()
  await redis.kill('SIGKILL')
  const worker = await starting(redis.url)
  await logged('ECONNREFUSED')
  expect(worker.ready).toBe(false)
  await redis.restart()
  await worker.started
  await Promise.all(workers.splice(0).map((each) => each.destroy()))
  await redis.stop()
})

it('is not ready, and says why, while Redis wants a password', async () => {
  const redis = await startRedis()
  const client = new Redis(redis.url)
  await client.config('SET', 'requirepass', 'secret')
  const worker = await starting(redis.url)
  await logged('NOAUTH')
  expect(worker.ready).toBe(false)
  await client.config('SET', 'requirepass', '')
  await worker.started
  client.disconnect()
  await Promise.all(workers.splice(0).map((each) => each.destroy()))
  await redis.stop()
})

it('is not ready while Redis does not serve the keys of its queues', async () => {
  const redis = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  const worker = await starting(redis.url)
  await logged('Redis refuses this queue')
  expect(worker.ready).toBe(false)
  const client = new Redis(redis.url)
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  await worker.started
  client.disconnect()
  await Promise.all(workers.splice(0).map((each) => each.destroy()))
  await redis.stop()
})
