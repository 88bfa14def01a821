import type { Log } from '../ports/log.ts'
import type { Store } from '../ports/store/store.ts'

/** Tasks are asked about together, each at most this often: a write for every single push would hold up the others. */
const TOGETHER_MS = 100
const MAX_IDS = 500

/** Closes tasks whose last chunk is done. What is missed here the sweeper closes. */
export class Finisher {
  readonly #store: { tasks: Pick<Store['tasks'], 'finish'> }
  readonly #log: Log
  readonly #ids = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(store: { tasks: Pick<Store['tasks'], 'finish'> }, log: Log) {
    this.#store = store
    this.#log = log
  }

  chunkDone(taskId: string): void {
    this.#ids.add(taskId)
    this.#timer ??= setTimeout(() => this.#flush(), TOGETHER_MS)
  }

  async close(): Promise<void> {
    this.#flush()
    await this.#running
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const ids = [...this.#ids]
    this.#ids.clear()
    for (let from = 0; from < ids.length; from += MAX_IDS) {
      const some = ids.slice(from, from + MAX_IDS)
      this.#running = this.#running.then(() => this.#finish(some))
    }
  }

  async #finish(ids: readonly string[]): Promise<void> {
    try {
      await this.#store.tasks.finish(ids)
    } catch (error) {
      this.#log.warn({ error: String(error), tasks: ids.length }, 'tasks were not closed, the sweeper will')
    }
  }
}
