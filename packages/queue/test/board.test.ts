import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { boardRouter, openJobs, PolicyError } from '@fanfare/queue'
import { startRedis } from '@fanfare/testkit'
import { expect, it } from '@jest/globals'
import express from 'express'

it('shows one queue per vendor with the jobs of tasks, read-only', async () => {
  const redis = await startRedis()
  const jobs = openJobs(redis.url)
  const board = boardRouter(redis.url, '/admin/queues')
  const server = express().use('/admin/queues', board.router).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/admin/queues`
  await jobs.enqueue([{ taskId: '4711', seq: 2, gen: 0, platform: 'huawei', channelId: '7', lane: 'bulk' }])

  const page = await fetch(`${base}/`)
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('/admin/queues/')
  const answer = await fetch(`${base}/api/queues?activeQueue=huawei&status=prioritized&page=1`)
  const { queues } = (await answer.json()) as {
    queues: { name: string; readOnlyMode: boolean; jobs: { id: string; data: unknown }[] }[]
  }
  expect(queues.map((queue) => queue.name)).toEqual(['apns', 'fcm', 'xiaomi', 'huawei', 'email', 'wecom', 'plan'])
  expect(queues.every((queue) => queue.readOnlyMode)).toBe(true)
  expect(queues[3]?.jobs.map((job) => [job.id, job.data])).toEqual([
    ['4711-2-0', { v: 1, task: '4711', seq: 2, gen: 0, channel: '7' }],
  ])

  server.close()
  await board.close()
  await jobs.close()
  await redis.stop()
})

it('refuses a Redis that throws jobs away', async () => {
  const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
  const jobs = openJobs(redis.url)
  await expect(jobs.enqueuePlan('1').then(() => jobs.checkPolicy())).rejects.toThrow(PolicyError)
  await jobs.close()
  await redis.stop()
})
