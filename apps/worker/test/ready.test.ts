import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { connect } from '@fanfare/redis'
import { startRedis } from '@fanfare/testkit'
import { WorkerService } from '@fanfare/worker'
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals'
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
  const client = connect(redis.url, 'endless')
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

it('prints that it is ready only when Redis serves the keys of its queues', async () => {
  const redis = await startRedis({ args: ['--cluster-enabled', 'yes'] })
  const child = spawnWorker(redis.url)
  let printed = ''
  child.stdout.on('data', (text: Buffer) => {
    printed += text.toString()
  })
  await said(child.stderr, 'Redis refuses this queue')
  expect(printed).toBe('')
  const client = connect(redis.url, 'endless')
  await client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
  while (printed === '') await once(child.stdout, 'data')
  expect(JSON.parse(printed)).toEqual({ ready: true })
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  client.disconnect()
  await redis.stop()
}, 30_000)

function spawnWorker(redisUrl: string) {
  const { storeUrl, masterKey } = rig.config
  const variables = { STORE_URL: storeUrl, REDIS_URL: redisUrl, FANFARE_MASTER_KEY: masterKey.toString('base64') }
  const main = new URL('../src/main.ts', import.meta.url).pathname
  const args = ['--conditions=@fanfare/source', '--import', 'tsx', main]
  const env = { ...process.env, ...variables, NODE_OPTIONS: '' }
  return spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Reads on until the text was written. */
async function said(stream: Readable, text: string): Promise<void> {
  for (let all = ''; !all.includes(text); ) all += String(await once(stream, 'data'))
  stream.resume()
}
