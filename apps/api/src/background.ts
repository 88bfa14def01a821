import type { Log } from '@fanfare/core'
import { sampled } from './log.ts'

/** Work that nobody waits for, best effort: its errors are counted in the log, and a stop lets it end. */
export class Background {
  readonly #running = new Set<Promise<void>>()

  run(work: Promise<void>, log: Log, kind: string): void {
    const ended = work.catch((error: unknown) =>
      sampled(log, kind, { err: String(error) }, `${kind} failed, the sweeper brings it back`),
    )
    this.#running.add(ended)
    void ended.then(() => this.#running.delete(ended))
  }

  async end(): Promise<void> {
    await Promise.all(this.#running)
  }
}
