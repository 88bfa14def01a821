import { SENTENCES } from '../ledger/sentences.ts'
import type { Member, Outcome } from '../nouns/chunk.ts'
import { CHUNK_SIZE } from '../nouns/defaults.ts'
import type { NewChunk } from '../ports/store/tasks.ts'
import type { Target } from './targets.ts'

/**
 * The chunks of targets that are known when the task is accepted: one per channel and thousand devices, in order of the
 * targets. Users without a device share one chunk with no channel, final at once, so that counts add up (docs/design.md
 * §6).
 */
export function chunksOfUsers(targets: readonly Target[]): NewChunk[] {
  const byChannel = new Map<string, Member[]>()
  for (const { userId, devices } of targets) {
    for (const device of devices) membersOf(byChannel, device.channelId).push({ deviceId: device.id, userId })
  }
  const chunks: NewChunk[] = []
  for (const [channelId, members] of byChannel) {
    for (let from = 0; from < members.length; from += CHUNK_SIZE) {
      chunks.push({ seq: chunks.length, channelId, members: members.slice(from, from + CHUNK_SIZE) })
    }
  }
  const unreachable = targets.filter((target) => target.devices.length === 0)
  for (let from = 0; from < unreachable.length; from += CHUNK_SIZE) {
    chunks.push(unreachableChunk(chunks.length, unreachable.slice(from, from + CHUNK_SIZE)))
  }
  return chunks
}

function membersOf(byChannel: Map<string, Member[]>, channelId: string): Member[] {
  const known = byChannel.get(channelId)
  if (known) return known
  const members: Member[] = []
  byChannel.set(channelId, members)
  return members
}

function unreachableChunk(seq: number, targets: readonly Target[]): NewChunk {
  const reasons: Record<string, number[]> = {}
  targets.forEach((target, index) => {
    const reason = target.exists ? SENTENCES.noBinding : SENTENCES.noUser
    reasons[reason] = [...(reasons[reason] ?? []), index]
  })
  return {
    seq,
    members: targets.map(({ userId }) => ({ userId })),
    outcomes: targets.map((): Outcome => 'rejected'),
    reasons,
    state: 'done',
  }
}
