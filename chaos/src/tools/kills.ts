import { type FleetProcess, progress, sleep } from '@fanfare/testkit'
import { loseJobsOf } from './held-jobs.ts'
import type { Setup } from './setup.ts'

/** Between two kills, besides the restart itself: about as long as the share of the load takes. */
const GAP_MS = { least: 50, most: 1000 }
/** At each third kill Redis loses the worker's jobs as well: only the ledger still knows of them. */
const LOSING_KILLS = 3
/** While a share of the load comes in, it comes fast. */
export const BURST_PER_SEC = 1000

/** Counts kills, and frees the load share by share, so that every kill meets work in progress. */
export class KillPlan {
  readonly kills: number
  #done = 0

  constructor(kills: number) {
    this.kills = kills
  }

  /** Of `count` pushes, those that may have been begun by now. */
  upTo(count: number): number {
    return this.#done >= this.kills ? count : Math.ceil((count * (this.#done + 1)) / this.kills)
  }

  count(): void {
    this.#done++
  }

  /** Kills workers one after the other at random moments and starts another in the place of each. */
  async run(setup: Setup, pick: () => FleetProcess | undefined): Promise<void> {
    while (this.#done < this.kills) {
      await sleep(GAP_MS.least + setup.random() * (GAP_MS.most - GAP_MS.least))
      const victim = pick()
      if (victim) await this.#kill(setup, victim)
      this.count()
      progress(`kill ${this.#done} of ${this.kills}: ${victim?.name}`)
    }
  }

  async #kill({ fleet }: Setup, victim: FleetProcess): Promise<void> {
    await fleet.retire(victim, 'kill')
    if (this.#done % LOSING_KILLS === LOSING_KILLS - 1) progress(`lost jobs: ${await loseJobsOf(fleet, victim)}`)
    await fleet.startWorker()
  }
}

export const anyOf = <T>(list: readonly T[], random: () => number): T | undefined =>
  list[Math.floor(random() * list.length)]
