import type { Batch, Pusher, PushResult } from '@fanfare/core'
import { rejectUnfit } from '../pushing/unfit.ts'

const CHANGED = { outcome: 'deferred', reason: 'the channel was changed', free: true } as const

/** Counts what is under way on a pusher, so that a retired one is closed only when its last push is done. */
export class KeptPusher {
  /** Of the channel it was opened with; a reader with an older copy of the channel gets this one too. */
  readonly updatedAt: Date
  readonly #opening: Promise<Pusher>
  #underWay = 0
  #lastUsedAt = Date.now()
  #retired: Promise<void> | undefined
  #whenIdle: (() => void) | undefined

  constructor(updatedAt: Date, open: () => Promise<Pusher>) {
    this.updatedAt = updatedAt
    this.#opening = open().then((pusher) => this.#counted(pusher))
  }

  /** Since when nothing is under way; now, while something is. */
  get idleSince(): number {
    return this.#underWay > 0 ? Date.now() : this.#lastUsedAt
  }

  opened(): Promise<Pusher> {
    this.#lastUsedAt = Date.now()
    return this.#opening
  }

  /** Takes no more pushes; closes when those under way are done. */
  retire(): Promise<void> {
    this.#retired ??= this.#closeWhenIdle()
    return this.#retired
  }

  async #closeWhenIdle(): Promise<void> {
    const pusher = await this.#opening.catch(() => undefined)
    if (!pusher) return
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
      })
    }
    await pusher.close()
  }

  #counted(pusher: Pusher): Pusher {
    return {
      batchSize: pusher.batchSize,
      push: (batch, signal) => this.#push(pusher, batch, signal),
      close: () => pusher.close(),
    }
  }

  async #push(pusher: Pusher, batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    // The holder got this pusher before it was retired: nothing was sent, and the next `for` gives the new one.
    if (this.#retired !== undefined) return batch.members.map(({ id }) => ({ id, ...CHANGED }))
    this.#underWay++
    try {
      return await pusher.push(batch, signal)
    } catch (error) {
      return rejectUnfit(batch, error)
    } finally {
      this.#lastUsedAt = Date.now()
      if (--this.#underWay === 0) this.#whenIdle?.()
    }
  }
}
