import { LEASE_MS } from '../nouns/defaults.ts'
import type { Recorder } from './recorder.ts'

/** A claimed chunk while it is being sent. `lost`: another worker holds it now, so nothing more may be sent. */
export type Hold = { taskId: string; seq: number; fence: number; renewedAt: number; lost: boolean }

const BEAT_MS = 3000

/** Prolongs the leases of all chunks that are being sent, in one write every three seconds. */
export class Heartbeat {
  readonly #holds = new Set<Hold>()
  readonly #timer: NodeJS.Timeout
  readonly #recorder: Recorder
  readonly #leaseMs: number

  constructor(recorder: Recorder, leaseMs: number = LEASE_MS) {
    this.#recorder = recorder
    this.#leaseMs = leaseMs
    this.#timer = setInterval(() => this.#beat(), Math.min(BEAT_MS, leaseMs / 3))
    this.#timer.unref()
  }

  add(hold: Hold): void {
    this.#holds.add(hold)
  }

  remove(hold: Hold): void {
    this.#holds.delete(hold)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #beat(): void {
    const oldest = performance.now() - this.#leaseMs / 4
    for (const hold of this.#holds) if (hold.renewedAt < oldest && !hold.lost) void this.#renew(hold)
  }

  async #renew(hold: Hold): Promise<void> {
    const { taskId, seq, fence } = hold
    hold.renewedAt = performance.now()
    const held = await this.#recorder.write({ taskId, seq, fence, leaseMs: this.#leaseMs }).catch(() => true)
    if (!held && this.#holds.has(hold)) hold.lost = true
  }
}
