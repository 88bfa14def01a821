import { setTimeout as sleep } from 'node:timers/promises'
import { StoreDownError } from '../common/errors.ts'
import { writeLedger } from '../ledger/write.ts'
import type { Log } from '../ports/log.ts'
import type { ChunkWrite } from '../ports/store/chunks.ts'
import type { Store } from '../ports/store/store.ts'

export type RecorderOptions = {
  store: { chunks: Pick<Store['chunks'], 'write'> }
  /** Results kept in memory at most while the store is away (docs/reliability.md T41). */
  maxPending?: number
  log?: Log
  /** `writeLedger` unless a test shows what happens without it. */
  writeLedger?: typeof writeLedger
  at?: (point: string) => void | Promise<void>
}

type Settle = { asksOn: boolean; resolve: (held: boolean) => void; reject: (error: unknown) => void }
type Entry = { write: ChunkWrite; settle: Settle[] }

const MAX_WRITES = 500
/** Outcomes of one call at about the most: more would hold up the event loop for longer than a turn should take. */
const MAX_OUTCOMES = 2000
/** The last results of a chunk wait so long for other writes: one commit serves them all. */
const LAST_MS = 50
/**
 * Results in passing, whose chunk goes on meanwhile. With the time they were gathered for, 200 ms (docs/reliability.md
 * §3.2).
 */
const PASSING_MS = 40
const MAX_PENDING = 5000

/**
 * Writes what became of members into the ledger. Writes of one tick share one call, writes of one chunk are merged and
 * never overlap, and while the store is away they are kept and tried again. A write that the store cannot take harms no
 * other (`writeLedger`).
 */
export class Recorder {
  readonly #options: RecorderOptions
  #waiting = new Map<string, Entry>()
  #pending = 0
  #running = false
  #armed = false
  /** When what waits is to be written, by the process's clock. */
  #dueAt = Number.POSITIVE_INFINITY
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
      const settle = { asksOn: asksOn(write), resolve, reject }
      if (entry) {
        entry.write = merge(entry.write, write)
        entry.settle.push(settle)
      } else this.#waiting.set(key, { write, settle: [settle] })
      this.#due(this.#pending >= MAX_OUTCOMES ? 0 : patienceMs(write))
    })
  }

  /** Something else is written to the store now: what waits shares its commit. */
  join(): void {
    if (this.#waiting.size > 0) this.#due(0)
  }

  /** Resolves when everything is written. */
  idle(): Promise<void> {
    if (this.#waiting.size === 0 && !this.#running) return Promise.resolve()
    this.join()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #due(afterMs: number): void {
    const dueAt = performance.now() + afterMs
    if (dueAt >= this.#dueAt) return
    this.#dueAt = dueAt
    this.#arm()
  }

  #arm(): void {
    if (this.#armed || this.#running || this.#waiting.size === 0) return
    clearTimeout(this.#timer)
    const leftMs = this.#dueAt - performance.now()
    if (leftMs > 0) {
      this.#timer = setTimeout(() => this.#arm(), leftMs)
      return
    }
    this.#armed = true
    setImmediate(() => {
      this.#armed = false
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const entries = this.#take()
    this.#running = true
    try {
      const write = this.#options.writeLedger ?? writeLedger
      const items = entries.map((entry) => entry.write)
      const held = await write((some) => this.#untilStored(some), items, this.#options.log)
      for (const [index, entry] of entries.entries()) {
        const refused = !(held[index] ?? false)
        // The store says no to a further window of a cancelled task and keeps what is recorded: only who asked for the
        // window must stop. Where another worker holds the chunk, it is told so too and all later writes are.
        for (const settle of entry.settle) settle.resolve(!refused || (asksOn(entry.write) && !settle.asksOn))
      }
    } catch (error) {
      for (const entry of entries) for (const { reject } of entry.settle) reject(error)
    } finally {
      this.#running = false
      for (const entry of entries) this.#pending -= entry.write.outcomes?.length ?? 0
      this.#arm()
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
    this.#dueAt = this.#waiting.size === 0 ? Number.POSITIVE_INFINITY : 0
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

const asksOn = ({ started }: ChunkWrite): boolean => started !== undefined

/** How long a write may wait for others to share its commit. */
function patienceMs({ state, started, leaseMs }: ChunkWrite): number {
  if (state === 'done') return LAST_MS
  return state === undefined && started === undefined && leaseMs === undefined ? PASSING_MS : 0
}

/** The later write wins field by field; outcomes add up in order. */
function merge(first: ChunkWrite, second: ChunkWrite): ChunkWrite {
  if (!first.outcomes || !second.outcomes) return { ...first, ...second }
  return { ...first, ...second, outcomes: [...first.outcomes, ...second.outcomes] }
}
