import { randomBytes } from 'node:crypto'
import { openStore } from '@fanfare/storage'
import { Make, members } from '@fanfare/testkit'

/**
 * A process that writes tasks until the file may not grow any more (`ulimit -f` of its shell). Prints the ids that were
 * accepted, those of the write that failed, and the name of its error. `tsx fill.ts STORE_URL`
 */
// Without a handler the kernel ends the process; with one the write fails, as on a full disk.
process.on('SIGXFSZ', () => undefined)

const store = await openStore(process.argv[2] ?? '', { masterKey: randomBytes(32) })
const make = new Make(store)
const channel = await make.channel()
const accepted: string[] = []
let refused: string[] = []
let error = ''
while (error === '') {
  const tasks = await Promise.all(Array.from({ length: 20 }, () => make.task({ appId: channel.appId })))
  const ids = tasks.map((task) => task.id)
  const items = tasks.map((task) => ({
    task,
    chunks: [0, 1].map((seq) => ({ seq, channelId: channel.id, members: members(50) })),
  }))
  try {
    await store.tasks.create(items)
    accepted.push(...ids)
  } catch (thrown) {
    error = (thrown as Error).name
    refused = ids
  }
}
const readable = (await store.tasks.byIds(accepted.slice(0, 1)))[0] !== undefined
process.stdout.write(JSON.stringify({ accepted, refused, error, readable }))
await store.close()
