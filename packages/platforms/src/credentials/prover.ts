import { BusyError, type Channel, ChannelError } from '@fanfare/core'
import { MOST_ROUNDS } from './locked.ts'
import { hasKey, prove } from './proof.ts'
import { ProofThread } from './proof-thread.ts'
import type { Answer } from './prove-thread.ts'

/** A channel, or one about to be made. */
export type Proved = Pick<Channel, 'appId' | 'platform' | 'name' | 'settings'>

/** Where credentials that tenants wrote are worked on. */
export interface Prover {
  /**
   * Proves a credential before it is kept; answers what is to be kept, which is cheap to open: of a p12 its certificate
   * and key. Rejects with ChannelError where it is refused, with BusyError where the app has too many to be proved.
   */
  prove(channel: Proved, credential: string): Promise<string>
  close(): Promise<void>
}

export type ProverOptions = { threads?: number; deadlineMs?: number; rounds?: number }

const THREADS = 2
const DEADLINE_MS = 5000
/** Waiting or under way. */
const MOST_OF_ONE_APP = 8
const MOST = 256
const IDLE_MS = 30_000

type Ask = { channel: Proved; credential: string; settle: (answer: Answer | Promise<never>) => void }

/** Proves credentials in a few threads: one of an app at a time, the apps in turn. */
export function openProver(options: ProverOptions = {}): Prover {
  return new ThreadProver(options)
}

class ThreadProver implements Prover {
  readonly #options: Required<ProverOptions>
  /** Asks by app, the app whose turn is next first. */
  readonly #waiting = new Map<string, Ask[]>()
  readonly #underWay = new Set<string>()
  readonly #resting = new Set<ProofThread>()
  #count = 0
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor({ threads = THREADS, deadlineMs = DEADLINE_MS, rounds = MOST_ROUNDS }: ProverOptions) {
    this.#options = { threads, deadlineMs, rounds }
  }

  async prove(channel: Proved, credential: string): Promise<string> {
    if (!hasKey(channel, credential)) return prove(channel, credential, () => credential)
    const answer = await this.#answer(channel, credential)
    if ('kept' in answer) return answer.kept
    if ('refused' in answer) throw new ChannelError(answer.refused)
    throw new Error(`a credential was not checked: ${answer.failed}`)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#endResting()
  }

  #answer({ appId, platform, name, settings }: Proved, credential: string): Promise<Answer> {
    const waiting = this.#waiting.get(appId) ?? []
    const own = waiting.length + (this.#underWay.has(appId) ? 1 : 0)
    if (this.#closed || own >= MOST_OF_ONE_APP || this.#count >= MOST) {
      return Promise.reject(new BusyError('too many credentials wait to be checked', { afterMs: 1000 }))
    }
    return new Promise((settle) => {
      waiting.push({ channel: { appId, platform, name, settings }, credential, settle })
      this.#waiting.set(appId, waiting)
      this.#count++
      this.#next()
    })
  }

  #next(): void {
    while (this.#underWay.size < this.#options.threads) {
      const ask = this.#take()
      if (!ask) return
      void this.#run(ask)
    }
  }

  /** The first ask of the app that waits longest and has none under way; then it is the others' turn. */
  #take(): Ask | undefined {
    for (const [appId, asks] of this.#waiting) {
      if (this.#underWay.has(appId)) continue
      const ask = asks.shift()
      this.#waiting.delete(appId)
      if (asks.length > 0) this.#waiting.set(appId, asks)
      if (ask) return ask
    }
    return undefined
  }

  /** A thread that did not answer in time keeps its place until it is gone, so that there are never more. */
  async #run({ channel, credential, settle }: Ask): Promise<void> {
    const { appId, ...subject } = channel
    this.#underWay.add(appId)
    const thread = this.#thread()
    try {
      settle(await thread.ask({ subject, credential, rounds: this.#options.rounds }, this.#options.deadlineMs))
      this.#rest(thread)
    } catch (error) {
      settle(Promise.reject(error))
      await thread.end().catch(() => undefined)
    } finally {
      this.#underWay.delete(appId)
      this.#count--
      this.#next()
    }
  }

  #thread(): ProofThread {
    for (const thread of this.#resting) {
      this.#resting.delete(thread)
      if (!thread.gone) return thread
    }
    return new ProofThread()
  }

  #rest(thread: ProofThread): void {
    if (this.#closed) void thread.end()
    else this.#resting.add(thread)
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#endResting(), IDLE_MS)
    this.#timer.unref()
  }

  async #endResting(): Promise<void> {
    const resting = [...this.#resting]
    this.#resting.clear()
    await Promise.all(resting.map((thread) => thread.end()))
  }
}

/** As versions did that had no threads, without a bound: what chaos shows the threads against. */
export async function proveHere({ platform, name, settings }: Proved, credential: string): Promise<string> {
  const { unlocked } = await import('./unlock.ts')
  return prove({ platform, name, settings }, credential, (locked) => unlocked(locked, Number.POSITIVE_INFINITY))
}
