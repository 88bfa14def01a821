import type { Log } from './ports.ts'
import type { Store } from './store.ts'

/** A task of many chunks is asked about at most this often. */
const BULK_MS = 100
const MAX_IDS = 500

/** Closes tasks whose last chunk is done. What is missed here the sweeper closes. */
export class Finisher {
  readonly #store: { tasks: Pick<Store['tasks'], 'finish'> }
  readonly #log: Log
  readonly #ids = new Set<string>()
  readonly #bulk = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(store: { tasks: Pick<Store['tasks'], 'finish'> }, log: Log) {
    this.#store = store
    this.#log = log
  }

  chunkDone(taskId: string, bulk: boolean): void {
    if (!bulk) {
      this.#ids.add(taskId)
      this.#arm()
      return
    }
    this.#bulk.add(taskId)
    this.#timer ??= setTimeout(() => this.#bulkDue(), BULK_MS)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#bulkDue()
    while (this.#running !== undefined) await this.#running
  }

  #bulkDue(): void {
    this.#timer = undefined
    for (const id of this.#bulk) this.#ids.add(id)
    this.#bulk.clear()
    this.#arm()
  }

  #arm(): void {
    if (this.#running !== undefined || this.#ids.size === 0) return
    this.#running = this.#flush().finally(() => {
      this.#running = undefined
      this.#arm()
    })
  }

  async #flush(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    const ids = [...this.#ids].slice(0, MAX_IDS)
    for (const id of ids) this.#ids.delete(id)
    try {
      await this.#store.tasks.finish(ids)
    } catch (error) {
      this.#log.warn({ error: String(error), tasks: ids.length }, 'tasks were not closed, the sweeper will')
    }
  }
}
