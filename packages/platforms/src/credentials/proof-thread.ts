import { Worker } from 'node:worker_threads'
import { ChannelError } from '@fanfare/core'
import type { Answer, Question } from './prove-thread.ts'

/** Until its modules are loaded; a busy machine may take long over it. */
const START_MS = 30_000
const LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }
/** Threads run built code, also where this module is run from its source. */
const ENTRY = new URL(
  import.meta.url.replace(/\/src\/credentials\/[^/]*$/, '/dist/credentials/').replace(/[^/]*$/, 'prove-thread.js'),
)

type Waits = { resolve: (answer: Answer) => void; reject: (error: Error) => void }

/** A thread that proves one credential after another. It gets no environment: no key of ours is in it. */
export class ProofThread {
  readonly #worker: Worker
  readonly #ready: Promise<unknown>
  #waits: Waits | undefined
  #gone: Error | undefined

  constructor() {
    this.#worker = new Worker(ENTRY, { env: {}, execArgv: [], resourceLimits: LIMITS })
    this.#ready = this.#next(START_MS, () => new Error('a thread for credentials did not start'))
    this.#ready.catch(() => undefined)
    this.#worker.on('message', (answer: Answer) => this.#waits?.resolve(answer))
    this.#worker.on('error', (error: NodeJS.ErrnoException) => {
      this.#end(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch() : error)
    })
    this.#worker.on('exit', () => this.#end(new Error('a thread for credentials ended')))
    this.#worker.unref()
  }

  get gone(): boolean {
    return this.#gone !== undefined
  }

  /** One at a time. Rejects with ChannelError where it took too long or too much memory: then the thread is of no use. */
  async ask(question: Question, deadlineMs: number): Promise<Answer> {
    await this.#ready
    const answer = this.#next(deadlineMs, tooMuch)
    this.#worker.postMessage(question)
    return answer
  }

  /** Resolves when it is really gone: what OpenSSL does is not interrupted. */
  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #next(withinMs: number, late: () => Error): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#waits = { resolve, reject }
      timer = setTimeout(() => reject(late()), withinMs)
      if (this.#gone) reject(this.#gone)
    })
    return answer.finally(() => clearTimeout(timer))
  }

  #end(why: Error): void {
    this.#gone ??= why
    this.#waits?.reject(this.#gone)
  }
}

const tooMuch = () => new ChannelError('the credential takes too much time or memory to be checked')
