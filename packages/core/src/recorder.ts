import { setTimeout as sleep } from 'node:timers/promises'
import { MANY } from './deliver-turns.ts'
import { StoreDownError } from './errors.ts'
import type { Store } from './store.ts'
import type { ChunkWrite } from './store-ledger.ts'

export type RecorderOptions = {
  store: { chunks: Pick<Store['chunks'], 'write'> }
  /** Results kept in memory at most while the store is away (reliability.md T41). */
  maxPending?: number
  at?: (point: string) => void | Promise<void>
}

type Entry = { write: ChunkWrite; settle: { resolve: (held: boolean) => void; reject: (error: unknown) => void }[] }

const MAX_WRITES = 500
/** Outcomes of one call at about the most: more would hold up the event loop for longer than a turn should take. */
const MAX_OUTCOMES = 2000
/** Results of a chunk wait so long for those of another: nobody waits for them, and one write serves both. */
const TOGETHER_MS = 10
const MAX_PENDING = 5000

/**
 * Writes what became of members into the ledger. Writes of one tick share one call, writes of one chunk are merged and
 * never overlap, and while the store is away they are kept and tried again.
 */
export class Recorder {
  readonly #options: RecorderOptions
  #waiting = new Map<string, Entry>()
  #pending = 0
  #running = false
  #armed = false
  #timer: NodeJS.Timeout | undefined
  #down = false
  #idle: (() => void)[] = []

  constructor(options: RecorderOptions) {
    this.#options = options
  }

  /** False while the store does not take results: then nothing more must be sent. */
  get ready(): boolean {
    return !this.#down && this.#pending <= (this.#options.maxPending ?? MAX_PENDING)
  }

  /** False where the chunk is no longer held by this fence: the caller is a zombie and must stop. */
  write(write: ChunkWrite): Promise<boolean> {
    this.#pending += write.outcomes?.length ?? 0
    const key = `${write.taskId}-${write.seq}-${write.fence}`
    return new Promise((resolve, reject) => {
      const entry = this.#waiting.get(key)
      const settle = { resolve, reject }
      if (entry) {
        entry.write = merge(entry.write, write)
        entry.settle.push(settle)
      } else this.#waiting.set(key, { write, settle: [settle] })
      this.#arm(isChunk(write) && this.#waiting.size === 1 ? TOGETHER_MS : 0)
    })
  }

  /** Resolves when everything is written. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0 && !this.#running) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #arm(afterMs: number): void {
    if (this.#armed || this.#running || this.#waiting.size === 0) return
    if (afterMs > 0) {
      this.#timer ??= setTimeout(() => this.#arm(0), afterMs)
      return
    }
    this.#armed = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    setImmediate(() => {
      this.#armed = false
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const entries = this.#take()
    this.#running = true
    try {
      const held = await this.#untilStored(entries.map((entry) => entry.write))
      for (const [index, entry] of entries.entries()) {
        for (const { resolve } of entry.settle) resolve(held[index] ?? false)
      }
    } catch (error) {
      for (const entry of entries) for (const { reject } of entry.settle) reject(error)
    } finally {
      this.#running = false
      for (const entry of entries) this.#pending -= entry.write.outcomes?.length ?? 0
      this.#arm(0)
      if (this.#waiting.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
    }
  }

  #take(): Entry[] {
    const entries: Entry[] = []
    let outcomes = 0
    for (const [key, entry] of this.#waiting) {
      if (entries.length === MAX_WRITES || outcomes >= MAX_OUTCOMES) break
      outcomes += entry.write.outcomes?.length ?? 0
      entries.push(entry)
      this.#waiting.delete(key)
    }
    return entries
  }

  async #untilStored(writes: readonly ChunkWrite[]): Promise<readonly boolean[]> {
    for (let tries = 0; ; tries++) {
      try {
        await this.#options.at?.('before-record')
        const held = await this.#options.store.chunks.write(writes)
        this.#down = false
        return held
      } catch (error) {
        if (!(error instanceof StoreDownError)) throw error
        this.#down = true
        await sleep(Math.min(1000, 100 * 2 ** Math.min(tries, 4)), undefined, { ref: false })
      }
    }
  }
}

/** The results of many members at once, the last of their chunk. */
const isChunk = ({ outcomes, state }: ChunkWrite): boolean => state === 'done' && (outcomes?.length ?? 0) >= MANY

/** The later write wins field by field; outcomes add up in order. */
function merge(first: ChunkWrite, second: ChunkWrite): ChunkWrite {
  if (!first.outcomes || !second.outcomes) return { ...first, ...second }
  return { ...first, ...second, outcomes: [...first.outcomes, ...second.outcomes] }
}
