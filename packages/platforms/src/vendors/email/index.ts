import { setMaxListeners } from 'node:events'
import type { Batch, BatchMember, Pusher, PushResult } from '@fanfare/core'
import pLimit, { type LimitFunction } from 'p-limit'
import { resting } from '../../pushing/again.ts'
import type { OpenPusher } from '../../pushing/opener.ts'
import { isAboutChannel, settle, type Verdict } from '../../pushing/verdict.ts'
import { isAddress, type Mailbox } from './address.ts'
import { type EmailOptions, readEmailOptions } from './options.ts'
import { type Letter, letterOf, mailFor } from './payload.ts'
import { Stall } from './stall.ts'
import { type Mailer, openMailer } from './transport.ts'
import { MALFORMED, readSmtpError, SENT, type SmtpError } from './verdicts.ts'

/** SMTP: one envelope per recipient, over a few kept connections. */
export const openEmail: OpenPusher = (context) => {
  const options = readEmailOptions(context)
  return new EmailPusher(openMailer(options), options)
}

class EmailPusher implements Pusher {
  readonly batchSize = 1
  readonly #mailer: Mailer
  readonly #from: Mailbox
  readonly #limit: LimitFunction
  readonly #stall: Stall

  constructor(mailer: Mailer, { from, maxConnections, times }: EmailOptions) {
    this.#mailer = mailer
    this.#from = from
    this.#limit = pLimit(maxConnections)
    this.#stall = new Stall(times)
  }

  async push(batch: Batch, signal: AbortSignal): Promise<PushResult[]> {
    const letter = letterOf(batch.message, this.#from)
    // Each mail under way listens, and there are as many as connections.
    setMaxListeners(0, signal)
    const run: Run = { batch, letter, signal, since: performance.now(), halted: undefined }
    const verdicts = await Promise.all(batch.members.map((member) => this.#limit(() => this.#send(member, run))))
    return settle(batch.members, verdicts)
  }

  async close(): Promise<void> {
    this.#mailer.close()
  }

  async #send(member: BatchMember, run: Run): Promise<Verdict> {
    if (!isAddress(member.token)) return MALFORMED
    const refusal = resting(run.batch) ?? run.halted ?? this.#stall.refusal(run.since)
    if (refusal) return refusal
    const startedAt = performance.now()
    const verdict = this.#stall.judged(await this.#mail(member, run), startedAt)
    if (concernsAll(verdict)) {
      run.halted ??= { is: 'deferred', reason: `not sent: ${verdict.reason}`, free: true, halted: true }
    }
    return verdict
  }

  async #mail(member: BatchMember, { batch, letter, signal }: Run): Promise<Verdict> {
    const { taskId, wantsReply } = batch
    const sending = this.#mailer.send(
      mailFor({ id: `${taskId}-${member.id}`, address: member.token }, letter, this.#from),
      signal,
    )
    try {
      const { response, messageId } = await sending.done
      return wantsReply ? { ...SENT, reply: { response, messageId } } : SENT
    } catch (error) {
      const verdict = readSmtpError(error as SmtpError, sending.written())
      const { response } = error as SmtpError
      return wantsReply && response !== undefined ? { ...verdict, reply: { response } } : verdict
    }
  }
}

type Run = {
  batch: Batch
  letter: Letter
  signal: AbortSignal
  since: number
  halted: Verdict | undefined
}

/** No sign of life or a refused sender: the other members would only wait for the same. */
const concernsAll = (verdict: Verdict): boolean => isAboutChannel(verdict.is) || verdict.free === true
