import type { Channel } from '../nouns/channel.ts'
import type { Task } from '../nouns/task.ts'
import type { Enqueue } from '../ports/jobs.ts'
import type { NewChunk } from '../ports/store/tasks.ts'

type Found = Channel | undefined
/** Answers at once where it knows the channel: an `await` for each push would cost the busiest path a turn. */
export type ChannelOf = (channelId: string) => Found | Promise<Found>

/** The jobs of chunks that were just written; those that wait in the store, are final or have lost their channel have none. */
export async function jobsOf(
  task: Pick<Task, 'id' | 'lane'>,
  chunks: readonly NewChunk[],
  channelOf: ChannelOf,
): Promise<Enqueue[]> {
  const items: Enqueue[] = []
  for (const { seq, channelId, state = 'planned', members } of chunks) {
    if (channelId === undefined || state !== 'planned') continue
    const known = channelOf(channelId)
    const channel = known instanceof Promise ? await known : known
    if (!channel) continue
    const { platform, appId } = channel
    items.push({ taskId: task.id, seq, gen: 0, platform, channelId, appId, members: members.length, lane: task.lane })
  }
  return items
}

/** Chunks of paused channels wait in the store; the sweeper brings them back when their channel goes on. */
export async function withWaiting(chunks: readonly NewChunk[], channelOf: ChannelOf): Promise<NewChunk[]> {
  const judged: NewChunk[] = []
  for (const chunk of chunks) {
    const known = chunk.channelId === undefined ? undefined : channelOf(chunk.channelId)
    const channel = known instanceof Promise ? await known : known
    judged.push(channel?.pause === undefined ? chunk : { ...chunk, state: 'waiting' })
  }
  return judged
}
