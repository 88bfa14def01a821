/**
 * The yardstick of broadcasts to FCM and APNs: one process, one node:http2 session, 500 streams, prepared bodies, to the
 * same simulator. No store, no queue, no ledger. It sends all of them at each message of its parent.
 */
import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect } from 'node:http2'
import { streamPlan } from './prepared.ts'
import type { YardstickOrder, YardstickRun } from './yardstick.ts'

const order = JSON.parse(process.argv[2] ?? '{}') as YardstickOrder
const STREAMS = 500
const plan = streamPlan(order.platform as 'fcm' | 'apns')
const bodies = Array.from({ length: order.devices }, (_, index) => plan.bodyOf(index))
const headers = bodies.map((body, index) => ({
  ...plan.headers,
  ':path': plan.pathOf(index),
  'content-length': body.length,
}))

function run(session: ClientHttp2Session): Promise<YardstickRun> {
  const startedAt = Date.now()
  return new Promise((resolve, reject) => {
    let next = 0
    let answered = 0
    const finish = () => {
      if (++answered === bodies.length) resolve({ startedAt, endedAt: Date.now() })
      else if (next < bodies.length) send()
    }
    const send = () => {
      const index = next++
      const stream = session.request(headers[index])
      stream.on('end', finish)
      stream.on('error', reject)
      stream.resume()
      stream.end(bodies[index])
    }
    for (let index = 0; index < Math.min(STREAMS, bodies.length); index++) send()
  })
}

const session = connect(order.url, { ca: readFileSync(order.caFile) })
process.on('message', () => void run(session).then((result) => process.send?.(result)))
session.once('remoteSettings', () => process.stdout.write(`${JSON.stringify({ ready: true })}\n`))
process.once('SIGTERM', () => process.exit(0))
