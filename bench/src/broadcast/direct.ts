import { CHUNK_SIZE, Ids, type Member, type NewChunk, type Store, TASK_TTL_MS, type Task } from '@fanfare/core'
import { openJobs } from '@fanfare/queue'
import type { FleetApp } from '@fanfare/testkit'
import type { Platform } from './prepared.ts'

type What = { platform: Platform; channelId: string; devices: number }
export type DirectFeed = { start(): Promise<{ taskId: string; startedAt: number }>; close(): Promise<void> }

/**
 * Chunk jobs without planner and window: the chunk rows are written before the clock starts, then all jobs are put into
 * the queue at once. Shows what delivery alone can do, with the ledger on.
 */
export async function openDirectFeed(app: FleetApp, what: What): Promise<DirectFeed> {
  const store = await app.fleet.openStore()
  const appId = await app.appId()
  const ids = new Ids((count) => store.takeIds(count))
  const jobs = openJobs(app.fleet.redis.url)
  const chunks = await chunksOf(store, what.channelId)
  return {
    async start() {
      const task = newTask(await ids.next(), appId)
      await store.tasks.create([{ task, chunks }])
      const startedAt = Date.now()
      const { platform, channelId } = what
      await jobs.enqueue(chunks.map(({ seq }) => ({ taskId: task.id, seq, gen: 0, platform, channelId, lane: 'bulk' })))
      return { taskId: task.id, startedAt }
    },
    close: () => jobs.close(),
  }
}

async function chunksOf(store: Store, channelId: string): Promise<NewChunk[]> {
  const upToId = await store.devices.maxId()
  const chunks: NewChunk[] = []
  for (let after: string | undefined = ''; after !== undefined; ) {
    const page = await store.devices.page({ channelId, after, upToId, limit: CHUNK_SIZE })
    const members: Member[] = page.deviceIds.map((deviceId) => ({ deviceId }))
    if (members.length > 0) chunks.push({ seq: chunks.length, channelId, members })
    after = page.next
  }
  return chunks
}

function newTask(id: string, appId: string): Omit<Task, 'startedAt' | 'finishedAt'> {
  const createdAt = new Date()
  return {
    id,
    appId,
    lane: 'bulk',
    audience: { kind: 'everyone' },
    message: { title: 'Fanfare', content: 'a broadcast to everyone' },
    route: ['vendor'],
    onUnknown: 'resend',
    state: 'sending',
    createdAt,
    expiresAt: new Date(createdAt.getTime() + TASK_TTL_MS),
  }
}
