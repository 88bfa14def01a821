import { AddressRefused } from '../../guard/guard.ts'
import { rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

const GREYLIST_MS = 5 * 60_000
const BUSY_MS = 60_000

/** Keys: the command that was answered and what the answer means; `readSmtpError` finds them. */
export const EMAIL_VERDICTS: VerdictTable = {
  link: 'https://www.rfc-editor.org/rfc/rfc5321#section-4.2',
  rows: [
    { when: '250 after DATA', outcome: 'sent', codes: ['accepted'], note: 'the relay took it; bounces come later' },
    {
      when: 'RCPT TO 550, 551, 553, 554 with 5.1.x, or saying that the user is unknown',
      outcome: 'invalid',
      codes: ['rcpt-unknown'],
    },
    { when: 'not one addr-spec', outcome: 'invalid', codes: ['malformed'], note: 'never sent' },
    {
      when: 'RCPT TO 552 or 5.2.2 mailbox full, 5.7.x policy, any other 5xx',
      outcome: 'rejected',
      codes: ['rcpt-refused'],
      note: 'the address is kept',
    },
    { when: 'MAIL FROM 5xx, 530', outcome: 'channel', codes: ['sender-refused'], note: 'the sender may not send' },
    { when: 'DATA 5xx', outcome: 'rejected', codes: ['data-refused'] },
    { when: '5.4.5 daily sending limit', outcome: 'quotaDay', codes: ['quota'] },
    {
      when: '450, 451, any other 4xx',
      outcome: 'deferred',
      codes: ['later'],
      afterMs: GREYLIST_MS,
      note: 'greylisting: not before 5 min',
    },
    {
      when: '421, 452, 4.7.x that is no greylisting',
      outcome: 'busy',
      codes: ['slow-down'],
      afterMs: BUSY_MS,
    },
    { when: 'EAUTH 535, 534, ENOAUTH, EOAUTH2', outcome: 'channel', codes: ['auth'] },
    { when: 'EAUTH 454', outcome: 'deferred', codes: ['auth-later'], afterMs: 30_000 },
    { when: 'ETLS, EREQUIRETLS', outcome: 'channel', codes: ['tls'], note: 'no or unusable STARTTLS' },
    {
      when: 'the host is or now resolves to an address that is not public',
      outcome: 'channel',
      codes: ['address'],
      note: 'never connected to',
    },
    {
      when: 'ESOCKET, ECONNECTION, ETIMEDOUT, EDNS, EABORT before the message',
      outcome: 'deferred',
      codes: ['not-sent'],
      note: 'try not counted',
    },
    {
      when: 'the same without an answer for 5 s, or no connection free for 10 s',
      outcome: 'busy',
      note: 'the channel rests for a minute, twice as long each time, at most ten; or for 2 s',
    },
    {
      when: 'connection lost, time-out or no SMTP answer after the message',
      outcome: 'unknown',
      codes: ['lost'],
    },
  ],
}

const ROWS = rowsByCode(EMAIL_VERDICTS)
const AUTH_CODES = new Set(['EAUTH', 'ENOAUTH', 'EOAUTH2'])
const TLS_CODES = new Set(['ETLS', 'EREQUIRETLS'])
const UNKNOWN_USER =
  /unknown (?:user|recipient|address)|no such (?:user|mailbox|recipient)|(?:user|recipient|mailbox) (?:unknown|not found)|does not exist/i

/** What nodemailer says of a failed mail (its NodemailerError). */
export type SmtpError = Error & {
  code?: string
  command?: string
  response?: string
  responseCode?: number
  rejectedErrors?: SmtpError[]
}

/** The verdict of a mail that failed. `written`: the message itself had begun to leave. */
export function readSmtpError(failure: SmtpError, written: boolean): Verdict {
  const error = failure.rejectedErrors?.[0] ?? failure
  const key = keyOf(error, written)
  const row = ROWS.get(key)
  if (!row) throw new Error(`verdict table of SMTP has no row ${key}`)
  const verdict = verdictOf(row, reasonOf(error))
  return key === 'not-sent' ? { ...verdict, free: true } : verdict
}

export const SENT: Verdict = { is: 'sent', reason: '' }
export const MALFORMED: Verdict = { is: 'invalid', reason: 'malformed address' }

function keyOf(error: SmtpError, written: boolean): string {
  const { code = '', command = '', responseCode } = error
  if (error instanceof AddressRefused) return 'address'
  if (AUTH_CODES.has(code)) return responseCode !== undefined && responseCode < 500 ? 'auth-later' : 'auth'
  if (TLS_CODES.has(code)) return 'tls'
  if (responseCode !== undefined && responseCode >= 400) return keyOfAnswer(error, responseCode)
  if (code === 'EENVELOPE' && command === 'API') return 'malformed'
  if (code === 'EMESSAGE' && !written) return 'data-refused'
  return written ? 'lost' : 'not-sent'
}

function keyOfAnswer({ command = '', response = '' }: SmtpError, responseCode: number): string {
  const enhanced = enhancedOf(response)
  if (enhanced === '5.4.5') return 'quota'
  if (responseCode < 500) return keyOfTransient(responseCode, enhanced, response)
  if (responseCode === 530 || command === 'MAIL FROM' || command.startsWith('AUTH')) return 'sender-refused'
  if (command !== 'RCPT TO') return command === 'DATA' ? 'data-refused' : 'not-sent'
  const addressed = responseCode !== 552 && (enhanced ? enhanced.startsWith('5.1.') : UNKNOWN_USER.test(response))
  return addressed ? 'rcpt-unknown' : 'rcpt-refused'
}

function keyOfTransient(responseCode: number, enhanced: string, response: string): string {
  const policy = enhanced.startsWith('4.7.') && !/gr[ea]y.?list/i.test(response)
  return responseCode === 421 || responseCode === 452 || policy ? 'slow-down' : 'later'
}

/** The enhanced status of RFC 3463, `5.1.1`; empty where the answer has none. */
const enhancedOf = (response: string): string => /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response)?.[1] ?? ''

/** Without addresses, few-valued: the answer's numbers, else the code. */
function reasonOf(error: SmtpError): string {
  if (error instanceof AddressRefused) return error.message
  const { code, command, response = '', responseCode } = error
  if (responseCode === undefined) return code ?? 'failed'
  return [command, String(responseCode), enhancedOf(response)].filter(Boolean).join(' ')
}
