import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BusyError, type Channel, ChannelError, IdleMap, type Store } from '@fanfare/core'

/** So many openings of one credential in a row that did not come back, and it is not opened again. */
const MOST_LOST = 5
/** How long one that did not come back counts. */
const COUNTS_MS = 3_600_000
/** The holder of all places, so that whoever comes back gives back those of all before. */
const OPENING = 'opening'
/** Longer than it takes to look whether a place is free. */
const LOOK_MS = 10_000
/** Opening is over within seconds: who finds every place taken for so long finds processes that ended. */
const SURE_MS = 8000
const AGAIN_MS = 1000
const MOST_TRIES = 60

type Place = { name: string; place: number }

/**
 * Records in the store that a credential is being opened, so that one that ends its process is found: of each credential
 * five places are taken in turn, and who dies does not give back its own. An opening that comes back, however it ended,
 * gives back all: where others died at that moment, it was for another reason.
 */
export class Openings {
  readonly #lease: Store['lease']
  readonly #deniedSince = new IdleMap<number>((since) => performance.now() - since > COUNTS_MS)
  readonly #givingBack = new Set<Promise<void>>()
  #closing = false
  /** The last of those that are opened one after the other. */
  #line: Promise<unknown> = Promise.resolve()

  constructor(lease: Store['lease']) {
    this.#lease = lease
  }

  /** Rejects with ChannelError where the credential ended five processes, with BusyError while that is not sure. */
  async record<T>(channel: Channel, credential: string, open: () => Promise<T>): Promise<T> {
    const name = nameOf(channel, credential)
    const first = await this.#take(name, 1)
    if (first) return this.#opened(first, open)
    // Somebody else opens it, or did not come back from it. Those are opened alone, so that whoever is opened beside it
    // in a process that ends loses one place at most.
    const turn = this.#line.then(async () => this.#opened(await this.#next(name), open))
    this.#line = turn.catch(() => undefined)
    return turn
  }

  /** Resolves when every place is given back, or cannot be because the store is away. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.all(this.#givingBack)
  }

  async #next(name: string): Promise<Place> {
    for (let place = 2; place <= MOST_LOST; place++) {
      const taken = await this.#take(name, place)
      if (taken) return taken
    }
    const since = this.#deniedSince.get(name) ?? performance.now()
    this.#deniedSince.set(name, since)
    if (performance.now() - since < SURE_MS)
      throw new BusyError('others are opening the channel', { afterMs: AGAIN_MS })
    throw new ChannelError(`opening it ended the process ${MOST_LOST} times: upload another certificate`)
  }

  async #take(name: string, place: number): Promise<Place | undefined> {
    const looker = randomUUID()
    if (!(await this.#lease(`${name}:${place}`, looker, LOOK_MS))) return undefined
    await this.#lease(`${name}:${place}`, looker, 0)
    // Two that look at the same time may share a place: then one that comes back speaks for both.
    await this.#lease(`${name}:${place}`, OPENING, COUNTS_MS)
    this.#deniedSince.delete(name)
    return { name, place }
  }

  async #opened<T>(place: Place, open: () => Promise<T>): Promise<T> {
    try {
      return await open()
    } finally {
      const done = this.#giveBack(place).finally(() => this.#givingBack.delete(done))
      this.#givingBack.add(done)
    }
  }

  async #giveBack({ name, place }: Place): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const given = await this.#clear(name, place).then(
        () => true,
        () => false,
      )
      if (given || this.#closing) return
      await sleep(AGAIN_MS, undefined, { ref: false })
    }
  }

  async #clear(name: string, upTo: number): Promise<void> {
    for (let place = upTo; place > 0; place--) await this.#lease(`${name}:${place}`, OPENING, 0)
  }
}

/** Another credential begins anew. Only credentials with keys are recorded, which nobody guesses from a hash. */
function nameOf({ id, appId }: Channel, credential: string): string {
  const hash = createHash('sha256').update(`${appId} ${id} ${credential}`).digest('hex')
  return `opening:${id}:${hash.slice(0, 16)}`
}
