import { setMaxListeners } from 'node:events'
import type { OutgoingHttpHeaders } from 'node:http2'
import { isAboutChannel, type Verdict } from '../../pushing/verdict.ts'
import { Call, type Source } from './call.ts'
import type { Http2Client } from './client.ts'

/** One request per member: how to make it and how to judge its answer. */
export type Fan = {
  /** The members to send to, as indices of the batch. */
  indices: readonly number[]
  /** As `Source.urgent`. */
  urgent: boolean
  request(index: number): { headers: OutgoingHttpHeaders; body: Buffer | string }
  /** Called for calls that have an answer. */
  judge(call: Call): Verdict
  /** Looked at before each call: the verdict of all that have not gone out, where nothing may. */
  resting?: (() => Verdict | undefined) | undefined
}

/**
 * Sends one request per index and resolves when all are settled, verdicts in the order of `indices`; it never rejects.
 * After a verdict about the entire channel (credentials, slow down) what has not gone out stays unsent, free of charge.
 */
export function fanOut(client: Http2Client, fan: Fan, signal: AbortSignal): Promise<Verdict[]> {
  if (fan.indices.length === 0) return Promise.resolve([])
  return new Promise((resolve) => {
    const batch = new BatchSource(fan, resolve)
    const onAbort = () => {
      batch.halt('aborted')
      client.abandon(batch, 'aborted')
    }
    batch.onDone = () => signal.removeEventListener('abort', onAbort)
    // One signal may stand for many batches at once.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) batch.halt('aborted')
    else client.add(batch)
  })
}

/** The verdict of a call without an answer. */
function verdictOfLost(call: Call): Verdict {
  if (call.malformed) return { is: 'rejected', reason: call.reason }
  return call.written ? { is: 'unknown', reason: call.reason } : { is: 'deferred', reason: call.reason, free: true }
}

class BatchSource implements Source {
  readonly urgent: boolean
  stopped = false
  onDone: () => void = () => {}
  readonly #fan: Fan
  readonly #resolve: (verdicts: Verdict[]) => void
  readonly #verdicts: Verdict[]
  #at = 0
  #settled = 0

  constructor(fan: Fan, resolve: (verdicts: Verdict[]) => void) {
    this.#fan = fan
    this.#resolve = resolve
    this.#verdicts = new Array(fan.indices.length)
    this.urgent = fan.urgent
  }

  next(): Call | undefined {
    if (this.stopped || this.#at >= this.#fan.indices.length) return undefined
    const rest = this.#fan.resting?.()
    if (rest) {
      this.#stop(rest)
      return undefined
    }
    const position = this.#at++
    return new Call(this, position, this.#fan.request(this.#fan.indices[position] as number))
  }

  settle(call: Call): void {
    const verdict = call.status > 0 ? this.#fan.judge(call) : verdictOfLost(call)
    this.#put(call.index, verdict)
    if (isAboutChannel(verdict.is) && verdict.scope !== 'member') this.halt(`not sent: ${verdict.reason}`)
  }

  /** Sends nothing more; what has not gone out is deferred. */
  halt(reason: string): void {
    if (!this.stopped) this.#stop({ is: 'deferred', reason, free: true, halted: true })
  }

  #stop(unsent: Verdict): void {
    this.stopped = true
    for (; this.#at < this.#fan.indices.length; ) this.#put(this.#at++, unsent)
  }

  #put(position: number, verdict: Verdict): void {
    this.#verdicts[position] = verdict
    if (++this.#settled < this.#fan.indices.length) return
    this.onDone()
    this.#resolve(this.#verdicts)
  }
}
