import { StoreDownError } from '../common/errors.ts'
import { cleanReason } from '../nouns/reasons.ts'
import type { Log } from '../ports/log.ts'
import type { ChunkWrite } from '../ports/store/chunks.ts'

/** One call of the store: one answer per write, in order. */
export type WriteChunks = (writes: readonly ChunkWrite[]) => Promise<readonly boolean[]>

/**
 * Writes into the ledger, the only way there. One write that makes the store throw harms no other: the list is parted
 * until the guilty one stands alone. That one is written without its reasons, so that what was sent stays sent; where
 * even this throws, its chunk is ended, its open members `unknown`, so that nothing of it is sent again: then, as for a
 * zombie, the answer is false. Rejects with StoreDownError only.
 */
export async function writeLedger(
  write: WriteChunks,
  writes: readonly ChunkWrite[],
  log?: Log,
): Promise<readonly boolean[]> {
  return parted({ write, log }, writes.map(clean))
}

type Way = { write: WriteChunks; log: Log | undefined }

async function parted(way: Way, writes: readonly ChunkWrite[]): Promise<readonly boolean[]> {
  try {
    return await way.write(writes)
  } catch (error) {
    if (error instanceof StoreDownError) throw error
    const [first] = writes
    if (writes.length === 1 && first) return [await guilty(way, first, error)]
    const half = Math.ceil(writes.length / 2)
    const held = await parted(way, writes.slice(0, half))
    return [...held, ...(await parted(way, writes.slice(half)))]
  }
}

async function guilty({ write, log }: Way, item: ChunkWrite, error: unknown): Promise<boolean> {
  const { taskId, seq } = item
  const fields = { alert: 'ledger', taskId, seq, error: String(error).slice(0, 500) }
  try {
    const [held = false] = await write([withoutReasons(item)])
    log?.error(fields, 'a write of the ledger failed and was made without its reasons')
    return held
  } catch (again) {
    if (again instanceof StoreDownError) throw again
    return bury({ write, log }, item, fields)
  }
}

async function bury({ write, log }: Way, { taskId, seq, fence, state }: ChunkWrite, fields: object): Promise<boolean> {
  try {
    const [held = false] = await write([{ taskId, seq, fence, state: 'done' }])
    log?.error(fields, 'a chunk could not be recorded: it is ended, its open members are unknown')
    return held && state === 'done'
  } catch (error) {
    if (error instanceof StoreDownError) throw error
    log?.error(fields, 'a chunk cannot be written at all')
    return false
  }
}

function withoutReasons({ outcomes, ...rest }: ChunkWrite): ChunkWrite {
  return outcomes ? { ...rest, outcomes: outcomes.map(([index, outcome]) => [index, outcome] as const) } : rest
}

function clean(write: ChunkWrite): ChunkWrite {
  if (!write.outcomes?.some(isUnclean)) return write
  const outcomes = write.outcomes.map(([index, outcome, reason]) =>
    reason === undefined ? ([index, outcome] as const) : ([index, outcome, cleanReason(reason)] as const),
  )
  return { ...write, outcomes }
}

const isUnclean = ([, , reason]: NonNullable<ChunkWrite['outcomes']>[number]): boolean =>
  reason !== undefined && cleanReason(reason) !== reason
