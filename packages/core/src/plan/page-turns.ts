/**
 * Lets tasks be planned side by side in one process, one page at a time, each app in its turn: a list of one user does not
 * wait for the thousand pages of another app's broadcast.
 */
export class PageTurns {
  /** In the order of their turns. */
  readonly #apps = new Map<string, (() => void)[]>()
  #busy = false

  /** Resolves when a page of this app may be planned; the answer ends its turn. */
  async take(appId: string): Promise<() => void> {
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        const waiting = this.#apps.get(appId)
        if (waiting) waiting.push(resolve)
        else this.#apps.set(appId, [resolve])
      })
    }
    this.#busy = true
    return () => this.#next()
  }

  #next(): void {
    const [first] = this.#apps
    if (!first) {
      this.#busy = false
      return
    }
    const [appId, waiting] = first
    const resolve = waiting.shift()
    this.#apps.delete(appId)
    if (waiting.length > 0) this.#apps.set(appId, waiting)
    resolve?.()
  }
}
