import type { SMTPServerSession } from 'smtp-server'
import type { Kind } from '../../behaviours.ts'
import { behaviourOf } from '../../behaviours.ts'
import { nowMs } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { Fault, SmtpFaultKind } from '../../faults.ts'
import { isMessageFault } from '../../faults.ts'
import { digestText } from '../../journal/digest.ts'
import type { Problem } from '../settle.ts'
import type { SmtpError } from './replies.ts'
import { recipientError } from './replies.ts'

/** What is to happen after DATA. */
export type Ending = Problem & { afterMs: number }

const PLAIN: Ending = { kind: 'ok', afterMs: 0 }
const ACCESS_KINDS: ReadonlySet<string> = new Set<Kind>(['401', 'expired', '403-wrong-project', 'no-project'])
const HEADER_END = /\r?\n\r?\n/
const MESSAGE_ID = /^message-id:\s*(\S+)/im

/** One SMTP session's mail after the other: what its recipients' names ask for, and the entries in the journal. */
export class Transactions {
  private readonly context: Context
  private readonly endings = new WeakMap<SMTPServerSession, Ending>()

  constructor(context: Context) {
    this.context = context
  }

  begin(session: SMTPServerSession): void {
    this.endings.delete(session)
  }

  /** The fault that refuses log-ins and senders. */
  accessFault(account: string, kinds: readonly (Kind | SmtpFaultKind)[]): Fault | undefined {
    return this.context.faults.pick('email', account, (kind) => (kinds as readonly string[]).includes(kind))
  }

  /** Why this recipient is refused; undefined if it is taken. */
  checkRecipient(session: SMTPServerSession, address: string): SmtpError | undefined {
    const ending = this.endingFor(session, address)
    const error = recipientError(ending)
    if (error)
      this.record(session, [address], { accepted: false, kind: ending.kind, code: error.responseCode, raw: '' })
    else if (ending.kind !== 'ok' || ending.afterMs > 0) this.endings.set(session, ending)
    return error
  }

  endingOf(session: SMTPServerSession): Ending {
    const ending = this.endings.get(session) ?? PLAIN
    return { ...ending, afterMs: ending.afterMs + this.context.settings.latencyMs }
  }

  record(session: SMTPServerSession, tokens: readonly string[], mail: Mail): void {
    const { journal } = this.context
    const account = accountOf(session)
    const atMs = nowMs()
    const log = journal.logOf('email')
    log.begin(account, atMs, digestMail(mail.raw))
    for (const token of tokens) log.member(token, mail.accepted)
    if (mail.accepted) journal.noteLatency('email', mail.raw, atMs)
    const sender = session.envelope.mailFrom ? session.envelope.mailFrom.address : ''
    const request = { method: 'MAIL', path: `<${sender}>`, protocol: session.secure ? 'SMTP+TLS' : 'SMTP', headers: {} }
    const { kind, code: status, raw: body } = mail
    journal.keep({ vendor: 'email', account, atMs, tokens, kind, status, body, ...request })
  }

  private endingFor(session: SMTPServerSession, address: string): Ending {
    const fault = this.context.faults.pick(
      'email',
      accountOf(session),
      (kind) => isMessageFault(kind) && !ACCESS_KINDS.has(kind),
    )
    if (fault) return endingOfFault(fault)
    const named = behaviourOf(address)
    if (!named) return PLAIN
    if (named.times > 0 && this.context.visits('email', address) > named.times) return PLAIN
    return { kind: named.kind, code: named.code, afterMs: named.delayMs }
  }
}

/** `code`: the SMTP answer; 0 = none. `raw`: the mail as it was sent, '' if it did not come to that. */
export type Mail = { accepted: boolean; kind: string; code: number; raw: string }

export function accountOf(session: SMTPServerSession): string {
  return session.user ?? 'anonymous'
}

function endingOfFault({ kind, code, delayMs = 0 }: Fault): Ending {
  if (kind === 'all-gone') return { kind: 'gone', afterMs: 0 }
  return { kind: kind === 'delay' ? 'ok' : (kind as Kind), code, afterMs: delayMs }
}

/** By Message-ID where there is one: it is the same for every attempt, the Date header is not. */
function digestMail(raw: string): number {
  const head = raw.split(HEADER_END, 1)[0] ?? ''
  return digestText(MESSAGE_ID.exec(head)?.[1] ?? raw)
}
