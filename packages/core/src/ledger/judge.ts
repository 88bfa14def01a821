import type { Chunk, Outcome } from '../nouns/chunk.ts'
import type { Task } from '../nouns/task.ts'
import type { PushResult } from '../ports/pusher.ts'
import type { ChunkWrite } from '../ports/store/chunks.ts'
import { type Backoff, backoffMs, MAX_TRIES, RETRY } from './retry.ts'
import { SENTENCES } from './sentences.ts'

export type OutcomeWrite = NonNullable<ChunkWrite['outcomes']>[number]

/** A member to be tried again. `counts`: the vendor had it, so that the try is counted. */
export type Deferred = { index: number; reason: string; afterMs: number; counts: boolean }

/** A vendor that was not reached at all is tried again after this. */
const FREE_AFTER_MS = 1000

export type OpenMembers = { indices: number[]; waiting: number[]; retrying: boolean }

/**
 * The members this run sends to, in order: those never tried, or else the deferred ones. While some were never tried
 * the deferred ones wait, so that their backoff holds even where a chunk is sent in several runs.
 */
export function openMembers(chunk: Chunk): OpenMembers {
  const fresh: number[] = []
  const deferred: number[] = []
  for (const [index, outcome] of chunk.outcomes.entries()) {
    if (outcome === 'deferred') deferred.push(index)
    else if (outcome === 'unsent' || outcome === 'started') fresh.push(index)
  }
  if (fresh.length > 0) return { indices: fresh, waiting: deferred, retrying: false }
  return { indices: deferred, waiting: [], retrying: true }
}

export type Judged = { write: OutcomeWrite } | { again: Deferred }

/** What a vendor's result means for the ledger. An ambiguous one is final only where the task says so. */
export function judge(index: number, result: PushResult | undefined, onUnknown: Task['onUnknown']): Judged {
  if (!result) return ambiguous(index, SENTENCES.noAnswer, onUnknown)
  if (result.outcome === 'sent') return { write: [index, 'sent'] }
  if (result.outcome === 'unknown') return ambiguous(index, result.reason, onUnknown)
  if (result.outcome !== 'deferred') return { write: [index, result.outcome, result.reason] }
  const counts = !result.free && !result.busy
  return { again: { index, reason: result.reason, afterMs: result.afterMs ?? 0, counts } }
}

export function ambiguous(index: number, reason: string, onUnknown: Task['onUnknown']): Judged {
  if (onUnknown === 'drop') return { write: [index, 'unknown', reason] }
  return { again: { index, reason, afterMs: 0, counts: true } }
}

export type Remainder = { writes: OutcomeWrite[]; afterMs?: number; countTry: boolean }

/** What remains of a chunk whose deferred members are all that is left; those whose tries are used up become final. */
export function remainderOf(deferred: readonly Deferred[], tries: number, backoff: Backoff = RETRY): Remainder {
  const counted = deferred.some((member) => member.counts)
  const used = counted ? tries + 1 : tries
  const over = (member: Deferred): boolean => member.counts && used >= MAX_TRIES
  const writes = deferred.map((member): OutcomeWrite => {
    const outcome: Outcome = over(member) ? 'unknown' : 'deferred'
    return [member.index, outcome, member.reason]
  })
  const left = deferred.filter((member) => !over(member))
  if (left.length === 0) return { writes, countTry: false }
  const floor = left.reduce((most, member) => Math.max(most, member.afterMs), 0)
  const own = left.some((member) => member.counts) ? backoffMs(used - 1, backoff) : FREE_AFTER_MS
  return { writes, afterMs: Math.max(floor, own), countTry: counted }
}

/** Short, and the same for the same members whatever their number: vendors drop a repetition by it. */
export function batchIdOf(chunk: Chunk, indices: readonly number[]): string {
  let hash = 0x811c9dc5
  for (const index of indices) hash = Math.imul(hash ^ index, 0x01000193) >>> 0
  return `${chunk.taskId}-${chunk.seq}-${hash.toString(36)}`
}
