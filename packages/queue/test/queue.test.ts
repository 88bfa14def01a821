import type { Enqueue, Log } from '@fanfare/core'
import {
  type Again,
  type Consumer,
  type ConsumerOptions,
  consume,
  consumePlans,
  type DeliverJob,
  type JobQueues,
  jobIdOf,
  openJobs,
  openTaskRate,
} from '@fanfare/queue'
import { connect } from '@fanfare/redis'
import { freePort, type RedisSet, redisOfProject } from '@fanfare/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { Queue } from 'bullmq'

const quiet: Log = { info: () => undefined, warn: () => undefined, error: () => undefined }

let redis: RedisSet
let jobs: JobQueues
const open: Consumer[] = []
beforeAll(async () => {
  redis = await redisOfProject()
  jobs = openJobs(redis.url)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((consumer) => consumer.close(2000)))
  await redis.flush()
})
afterAll(async () => {
  await jobs.close()
  await redis.stop()
})

const item = (taskId: string, over: Partial<Enqueue> = {}): Enqueue => {
  return { taskId, seq: 0, gen: 0, platform: 'xiaomi', channelId: '7', lane: 'single', ...over }
}

type Handle = (job: DeliverJob, signal: AbortSignal) => Promise<Again | undefined>
function start(handle: Handle, over: Partial<ConsumerOptions> = {}): Consumer {
  const options = {
    redisUrl: redis.url,
    platform: 'xiaomi',
    holder: 'test',
    concurrency: 20,
    maxBulk: 4,
    appOf: (channelId: string) => `app of ${channelId}`,
    log: quiet,
  } as const
  const consumer = consume({ ...options, ...over }, handle)
  open.push(consumer)
  return consumer
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('enqueuing', () => {
  it('carries the chunk and its channel, once for each derived id', async () => {
    const seen: DeliverJob[] = []
    await jobs.enqueue([item('1'), item('1'), item('1', { gen: 1 })])
    await jobs.enqueue([item('1')])
    start(async (job) => {
      seen.push(job)
      return undefined
    })
    await until('both came', () => seen.length >= 2)
    await jobs.enqueue([item('1'), item('2')])
    await until('the next came', () => seen.length >= 3)
    expect(seen).toEqual([
      { taskId: '1', seq: 0, gen: 0, channelId: '7', lane: 'single' },
      { taskId: '1', seq: 0, gen: 1, channelId: '7', lane: 'single' },
      { taskId: '2', seq: 0, gen: 0, channelId: '7', lane: 'single' },
    ])
  })

  it('rejects within 2 s where Redis was down from the start', async () => {
    const away = openJobs(`redis://127.0.0.1:${await freePort()}`)
    const asked = performance.now()
    await expect(away.enqueue([item('1')])).rejects.toThrow()
    await expect(away.present([item('1')])).rejects.toThrow()
    expect(performance.now() - asked).toBeLessThan(4500)
    await away.close()
  })

  it('knows which jobs still stand', async () => {
    await jobs.enqueue([item('1'), item('2', { delayMs: 60_000 })])
    let ran = false
    start(async () => {
      ran = true
      return undefined
    })
    await until('it ran', () => ran)
    const asked = [item('1'), item('2'), item('3')]
    await until('it ended', async () => !(await jobs.present(asked))[0])
    expect(await jobs.present(asked)).toEqual([false, true, false])
  })
})

describe('consuming', () => {
  it('runs a job again later without using up an attempt', async () => {
    const times: number[] = []
    await jobs.enqueue([item('1')])
    start(async () => {
      times.push(performance.now())
      return times.length <= 5 ? { afterMs: 50 } : undefined
    })
    await until('six runs', () => times.length === 6)
    await until('done', async () => !(await jobs.present([item('1')]))[0])
    for (const [index, time] of times.slice(1).entries()) expect(time - (times[index] ?? 0)).toBeGreaterThan(45)
  })

  it('leaves a job of another version to other workers', async () => {
    const client = connect(redis.url, 'endless')
    const queue = new Queue('xiaomi', { connection: client, prefix: '{fanfare:xiaomi}' })
    const data = { v: 2, somethingNew: true }
    await queue.add('deliver', data, { jobId: 'new-0-0' })
    let ran = 0
    start(async () => {
      ran++
      return undefined
    })
    await until('it is put off', async () => (await queue.getDelayedCount()) === 1)
    expect(ran).toBe(0)
    expect((await queue.getJob('new-0-0'))?.data).toEqual(data)
    expect(await queue.getFailedCount()).toBe(0)
    await queue.close()
    client.disconnect()
  })

  it('takes single pushes before the chunks of tasks', async () => {
    const order: string[] = []
    await jobs.enqueue([item('10', { lane: 'bulk' }), item('11', { lane: 'bulk' })])
    await jobs.enqueue([item('1'), item('2')])
    start(
      async (job) => {
        order.push(`${job.lane} ${job.taskId}`)
        return undefined
      },
      { concurrency: 8 },
    )
    await until('all four', () => order.length === 4)
    expect(order.slice(0, 2)).toEqual(['single 1', 'single 2'])
    expect(order.slice(2).sort()).toEqual(['bulk 10', 'bulk 11'])
  })

  it('keeps slots free for single pushes, however many chunks wait', async () => {
    let running = 0
    let most = 0
    let single = false
    await jobs.enqueue(Array.from({ length: 30 }, (_, index) => item(String(100 + index), { lane: 'bulk' })))
    start(async (job) => {
      if (job.lane === 'single') {
        single = true
        return undefined
      }
      most = Math.max(most, ++running)
      await until('the single push was taken', () => single)
      running--
      return undefined
    })
    await until('chunks run', () => running === 2)
    await jobs.enqueue([item('1')])
    await until('the single push ran', () => single)
    expect(most).toBe(2)
  })

  it('waits for running jobs when it closes, and hands on the rest', async () => {
    let ended = 0
    await jobs.enqueue(Array.from({ length: 20 }, (_, index) => item(String(index + 1))))
    const first = start(
      async () => {
        await new Promise((resolve) => setTimeout(resolve, 100))
        ended++
        return undefined
      },
      { concurrency: 5 },
    )
    await until('it took some', () => first.running() >= 3)
    expect(await first.close(5000)).toBe(true)
    const byFirst = ended
    expect(byFirst).toBeLessThan(20)
    start(async () => {
      ended++
      return undefined
    })
    await until('the rest', () => ended === 20)
  })

  it('ends in time although a job hangs', async () => {
    await jobs.enqueue([item('1')])
    let release: (ended: undefined) => void = () => undefined
    const consumer = start(
      () =>
        new Promise((resolve) => {
          release = resolve
        }),
    )
    await until('it hangs', () => consumer.running() === 1)
    const asked = performance.now()
    expect(await consumer.close(300)).toBe(false)
    expect(performance.now() - asked).toBeLessThan(2000)
    release(undefined)
  })
})

it('derives job ids BullMQ accepts', () => {
  expect(jobIdOf({ taskId: '9007199254740991', seq: 3, gen: 2 })).toBe('9007199254740991-3-2')
})

describe('a job that fails', () => {
  type Line = { text: string } & Record<string, unknown>
  const logTo = (lines: Line[]): Log => ({ ...quiet, error: (fields, text) => void lines.push({ text, ...fields }) })

  it('is logged with its ids and its error; of many in a second one is', async () => {
    const lines: Line[] = []
    let failed = 0
    const handle = () => {
      failed++
      return Promise.reject(new Error('broken'))
    }
    start(handle, { log: logTo(lines) })
    await jobs.enqueue(Array.from({ length: 50 }, (_, n) => item(String(n + 1))))
    await until('all failed', () => failed === 50)
    await until('one is logged', () => lines.length > 0)
    expect(lines[0]).toMatchObject({ text: 'job failed', queue: 'xiaomi', error: 'Error: broken', skipped: 0 })
    expect(lines[0]?.['job']).toMatchObject({ task: expect.stringMatching(/^\d+$/), seq: 0, channel: '7' })
    expect(lines.length).toBeLessThan(10)
  })

  it('is logged where it was to plan a task', async () => {
    const lines: Line[] = []
    const handle = () => Promise.reject(new Error('no plan'))
    const plans = consumePlans({ redisUrl: redis.url, log: logTo(lines), concurrency: 4 }, handle)
    await jobs.enqueuePlan('77')
    await until('it is logged', () => lines.length > 0)
    expect(lines[0]).toMatchObject({ text: 'job failed', queue: 'plan', error: 'Error: no plan', job: { task: '77' } })
    await plans.close(2000)
  })
})

describe("a task's own rate", () => {
  it('is kept until the next may go, also where that is hours away', async () => {
    const rate = openTaskRate(redis.url)
    const answers = () =>
      rate.take('0', 1, 1).then(
        () => true,
        () => false,
      )
    await until('Redis answers', answers)
    expect(await rate.take('1', 0.0001, 1)).toBe(0)
    expect(await rate.take('1', 0.0001, 1)).toBeGreaterThan(9_900_000)
    const client = connect(redis.url, 'endless')
    expect(await client.pttl('{fanfare:rate}:1')).toBeGreaterThan(9_900_000)
    expect(await rate.take('2', 1000, 10)).toBe(0)
    expect(await client.pttl('{fanfare:rate}:2')).toBeLessThan(60_000)
    client.disconnect()
    rate.close()
  })
})
