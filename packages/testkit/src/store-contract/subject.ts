import { setTimeout as sleep } from 'node:timers/promises'
import type { Chunk, ChunkRef, Store } from '@fanfare/core'
import type { MasterKey } from '@fanfare/storage'
import type { Make } from '../make.ts'

export type OpenedStore = {
  store: Store
  /** Opens the same store once more, as another process would. Absent where there is none (`:memory:`). */
  reopen?: (masterKey?: MasterKey) => Promise<Store>
  /** With these another process can open it; absent where none can. */
  url?: string
  masterKey?: Buffer
  /** Leaves what a planner leaves that dies right before the commit of a page. Absent where that is nothing. */
  dieBeforeCommit?: (...page: Parameters<Store['tasks']['addPlanned']>) => Promise<void>
  close(): Promise<void>
}

export type Subject = OpenedStore & { make: Make }
export type GetSubject = () => Subject

/** Asks until the answer is good; the last answer after 10 s, whatever it is. */
export async function eventually<T>(ask: () => Promise<T>, isGood: (answer: T) => boolean): Promise<T> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const answer = await ask()
    if (isGood(answer) || Date.now() > deadline) return answer
    await sleep(5)
  }
}

export async function chunkOf(store: Store, ref: Pick<ChunkRef, 'taskId' | 'seq'>): Promise<Chunk> {
  const [chunk] = await store.chunks.byRefs([ref])
  if (!chunk) throw new Error(`there is no chunk ${ref.taskId}.${ref.seq}`)
  return chunk
}

/** A lease that has passed when it is given: what is claimed with it can be claimed again at once. */
export const PASSED = -1000
/** More than all rows of the suite: questions over all apps are filtered by the test. */
export const ALL = 100_000
/** Texts that a store might take for something else than text. */
export const ODD_TEXTS = [
  '{"$gt":""}',
  '$where',
  'a.b',
  "'; drop table devices; --",
  '%',
  'ünï😀',
  '\ud800',
  'null',
  '0',
  '',
]
