import { createHash } from 'node:crypto'

/** `whole`: failed with 20301 and is to be sent in halves. `half`: is a half, and rejected where it fails again. */
type Part = 'whole' | 'half'

const MOST = 1000

/**
 * Batches that wait for a permit in the middle of being split, by their tokens, so that they go on where they stopped
 * when they come back. Who comes back to another process begins again, which costs one request.
 */
export class Splits {
  readonly #waiting = new Map<string, Part>()

  add(taskId: string, tokens: readonly string[], part: Part): void {
    this.#waiting.set(keyOf(taskId, tokens), part)
    if (this.#waiting.size <= MOST) return
    const oldest = this.#waiting.keys().next()
    if (!oldest.done) this.#waiting.delete(oldest.value)
  }

  take(taskId: string, tokens: readonly string[]): Part | undefined {
    if (this.#waiting.size === 0) return undefined
    const key = keyOf(taskId, tokens)
    const part = this.#waiting.get(key)
    this.#waiting.delete(key)
    return part
  }
}

const keyOf = (taskId: string, tokens: readonly string[]): string =>
  createHash('sha256').update(`${taskId} ${tokens.join()}`).digest('base64url')
