/** A worker whose vendors take everything at once, without a network: what is left is planning, queue and ledger. */
import type { Pusher, PushResult } from '@fanfare/core'
import { readConfig, WorkerService } from '@fanfare/worker'

const BATCH = 1000

const pusher: Pusher = {
  batchSize: BATCH,
  push: ({ members }) => Promise.resolve(members.map(({ id }): PushResult => ({ id, outcome: 'sent' }))),
  close: () => Promise.resolve(),
}

const worker = await WorkerService.create(readConfig(), {
  pushers: { for: () => Promise.resolve(pusher), drop: () => undefined, close: () => Promise.resolve() },
})
await worker.start()
process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
process.once('SIGTERM', () => void worker.destroy().then((clean) => process.exit(clean ? 0 : 1)))
