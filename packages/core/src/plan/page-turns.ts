/**
 * One page of an app at a time in one process: whatever an app has to plan takes its turns of the event loop one after the
 * other (`Turns`), and no app waits for the pages of another.
 */
export class PageTurns {
  /** Who waits, of apps that have a page under way. */
  readonly #apps = new Map<string, (() => void)[]>()

  /** Resolves when a page of this app may be planned; the answer ends its turn. */
  async take(appId: string): Promise<() => void> {
    const waiting = this.#apps.get(appId)
    if (waiting) await new Promise<void>((resolve) => waiting.push(resolve))
    else this.#apps.set(appId, [])
    return () => this.#next(appId)
  }

  #next(appId: string): void {
    const resolve = this.#apps.get(appId)?.shift()
    if (resolve) resolve()
    else this.#apps.delete(appId)
  }
}
