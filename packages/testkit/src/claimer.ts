import { once } from 'node:events'
import { openStore } from '@fanfare/storage'

/**
 * A process of the store contract: claims chunks of a task in its own order until all are taken, ends each, and says
 * which it had. `tsx claimer.ts STORE_URL MASTER_KEY TASK_ID CHUNKS`; prints `ready`, waits for a line on stdin.
 */
const [url = '', masterKey = '', taskId = '', count = '0'] = process.argv.slice(2)
const BATCH = 25

const store = await openStore(url, { masterKey: Buffer.from(masterKey, 'base64') })
process.stdout.write('ready\n')
await once(process.stdin, 'data')

const ids: number[] = []
for (let round = 0; round < 10; round++) {
  const first = await store.takeIds(10)
  for (let offset = 0; offset < 10; offset++) ids.push(first + offset)
}

const seqs = Array.from({ length: Number(count) }, (_, seq) => seq)
/** From a random place on, so that processes meet at the same chunks at the same time again and again. */
const start = Math.floor(Math.random() * seqs.length)
const order = [...seqs.slice(start), ...seqs.slice(0, start)]
const claimed: string[] = []
for (let from = 0; from < order.length; from += BATCH) {
  const refs = order.slice(from, from + BATCH).map((seq) => ({ taskId, seq, gen: 0 }))
  const mine = (await store.chunks.claim(refs, 60_000, 1)).flatMap((one) => (one ? [one.chunk] : []))
  const writes = mine.map(({ seq, fence }) => ({ taskId, seq, fence, outcomes: [[0, 'sent']] as const }))
  const written = await store.chunks.write(writes.map((write) => ({ ...write, state: 'done' as const })))
  for (const [index, ok] of written.entries()) if (ok) claimed.push(`${taskId}.${mine[index]?.seq}`)
}
await store.close()
process.stdout.write(`${JSON.stringify({ claimed, ids })}\n`)
process.stdin.destroy()
