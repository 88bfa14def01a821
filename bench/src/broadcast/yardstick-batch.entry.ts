/**
 * The yardstick of broadcasts to batch vendors: one process posts prepared bodies of 1,000 tokens to the same simulator
 * with axios over kept connections. No store, no queue, no ledger. It posts all of them at each message of its parent.
 */
import { readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import axios from 'axios'
import { batchRequests, type Prepared } from './prepared.ts'
import type { YardstickOrder, YardstickRun } from './yardstick.ts'

const order = JSON.parse(process.argv[2] ?? '{}') as YardstickOrder
const CONNECTIONS = 8
const httpsAgent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, ca: readFileSync(order.caFile) })
const client = axios.create({
  baseURL: order.url,
  httpsAgent,
  proxy: false,
  maxRedirects: 0,
  responseType: 'text',
  transformRequest: [],
  transformResponse: [],
})
const requests = batchRequests(order.platform as 'xiaomi' | 'huawei', order.devices)

async function run(): Promise<YardstickRun> {
  const startedAt = Date.now()
  let next = 0
  const lane = async () => {
    for (;;) {
      const request: Prepared | undefined = requests[next++]
      if (!request) return
      await client.post(request.path, request.body, { headers: request.headers })
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
  return { startedAt, endedAt: Date.now() }
}

process.on('message', () => void run().then((result) => process.send?.(result)))
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
process.once('SIGTERM', () => process.exit(0))
