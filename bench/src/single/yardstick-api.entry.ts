/**
 * The yardstick of `single` and `idle-latency`: the barest API there can be over the same queue. An Express 5 route
 * parses the JSON, adds a job and answers: no authentication, no validation, no store, no vendor.
 */
import type { AddressInfo } from 'node:net'
import { Queue } from 'bullmq'
import express from 'express'
import { redisOptions } from './yardstick-redis.ts'

const queue = new Queue('yardstick', { connection: redisOptions(), streams: { events: { maxLen: 1000 } } })
const app = express()
app.disable('x-powered-by')
app.disable('etag')
app.post('/push', express.json(), async (req, res) => {
  if (req.body.timed === true) req.body.addedAt = performance.timeOrigin + performance.now()
  await queue.add('push', req.body, { removeOnComplete: true, removeOnFail: true })
  res.json({ status: 'accepted' })
})

const server = app.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stdout.write(`${JSON.stringify({ ready: true, url: `http://127.0.0.1:${port}` })}\n`)
})
process.once('SIGTERM', () => process.exit(0))
