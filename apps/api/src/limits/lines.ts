import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PushError, type Store } from '@fanfare/core'

const LEASE_MS = 3000
/** A process keeps the lease of a line for so long at most while another may want it. */
const TURN_MS = 500
const WAIT_MS = 6000
/** Between two looks at a lease that another process holds. One looks for the whole line. */
const LOOK_MS = 15

type Waiter = { until: number; run: () => Promise<void>; refuse: (error: unknown) => void }

/**
 * Work that is done one after the other over all processes, by name. Within a process callers wait in line; the first
 * takes the lease of the name and the others go on under it, so that many cost the store no more than one.
 */
export class Lines {
  readonly #lines = new Map<string, Waiter[]>()
  readonly #store: Pick<Store, 'lease'>
  readonly #holder = `api-${randomUUID()}`

  constructor(store: Pick<Store, 'lease'>) {
    this.#store = store
  }

  /** Rejects with OVERLOADED where the turn does not come in time; then `work` was not begun. */
  enter<T>(name: string, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiter = { until: performance.now() + WAIT_MS, run: () => work().then(resolve, reject), refuse: reject }
      const line = this.#lines.get(name)
      if (line) line.push(waiter)
      else void this.#serve(name, [waiter])
    })
  }

  async #serve(name: string, line: Waiter[]): Promise<void> {
    this.#lines.set(name, line)
    while (line.length > 0) {
      try {
        if (await this.#lease(name)) await this.#turn(name, line)
        else await sleep(LOOK_MS)
      } catch (error) {
        for (const { refuse } of line.splice(0)) refuse(error)
      }
      refuseLate(line)
    }
    this.#lines.delete(name)
  }

  async #turn(name: string, line: Waiter[]): Promise<void> {
    const from = performance.now()
    try {
      while (performance.now() - from < TURN_MS) {
        refuseLate(line)
        const next = line.shift()
        if (!next) return
        await next.run()
      }
    } finally {
      await this.#store.lease(name, this.#holder, 0).catch(() => undefined)
    }
  }

  #lease(name: string): Promise<boolean> {
    return this.#store.lease(name, this.#holder, LEASE_MS)
  }
}

function refuseLate(line: Waiter[]): void {
  while (line[0] && line[0].until < performance.now()) {
    line.shift()?.refuse(new PushError('OVERLOADED', {}, { retryAfterSeconds: 1 }))
  }
}
