import { Batcher } from '../common/batcher.ts'
import { IdleMap } from '../common/idle-map.ts'
import type { Turns } from '../common/turns.ts'
import type { ChunkRef } from '../nouns/chunk.ts'
import type { Lane } from '../nouns/task.ts'
import type { Claimed } from '../ports/store/chunks.ts'

/** As `ChunkStore.claim`, with this process's lease. */
export type Claim = (refs: readonly ChunkRef[], firstWindow: number) => Promise<readonly (Claimed | undefined)[]>
/** Whose chunk it is, and how many of its members are marked as begun. `appId`: '' where it is not known any more. */
export type ClaimOf = { lane: Lane; firstWindow: number; appId: string }

type Claimer = Batcher<ChunkRef, Claimed | undefined>

/** Claims that come close together share a write and its wait for the disk (decision 0028); SQL stores have one writer anyway. */
const SINGLES = { maxItems: 200, apart: true, gapMs: 25 }
/** Chunks of tasks are a thousand members each. */
const BULK = { maxItems: 2, apart: true }

/** Claims chunks, those of tasks in turns of the event loop: a line for each app, so that none waits for another's chunks. */
export class Claims {
  readonly #claim: Claim
  readonly #turns: Turns
  readonly #claimers = new IdleMap<Claimer>((claimer) => claimer.isIdle)

  constructor(claim: Claim, turns: Turns) {
    this.#claim = claim
    this.#turns = turns
  }

  /** undefined where there is nothing to claim. */
  add(ref: ChunkRef, of: ClaimOf): Promise<Claimed | undefined> {
    const key = of.lane === 'bulk' ? `${of.firstWindow} ${of.appId}` : `${of.firstWindow}`
    let claimer = this.#claimers.get(key)
    if (!claimer) {
      claimer = this.#claimer(of)
      this.#claimers.set(key, claimer)
    }
    return claimer.add(ref)
  }

  #claimer({ lane, firstWindow, appId }: ClaimOf): Claimer {
    const claim = (refs: ChunkRef[]) => this.#claim(refs, firstWindow)
    if (lane !== 'bulk') return new Batcher(claim, SINGLES)
    return new Batcher((refs) => this.#turns.next('new', appId).then(() => claim(refs)), BULK)
  }
}
