import type { Kind } from '../../behaviours.ts'
import type { Problem } from '../settle.ts'

/** An SMTP answer; smtp-server sends the code and the text of an error with `responseCode`. */
export type SmtpError = Error & { responseCode: number }

/** Answers to RCPT TO: RFC 5321 §4.2, enhanced codes RFC 3463. */
const OF_KIND: Partial<Record<Kind, [code: number, text: string]>> = {
  gone: [550, '5.1.1 The email account that you tried to reach does not exist'],
  stale: [550, '5.1.1 The email account that you tried to reach does not exist'],
  bad: [553, '5.1.3 The recipient address is not a valid RFC 5321 address'],
  refused: [552, '5.2.2 The recipient mailbox is full'],
  '429': [451, '4.7.1 Greylisted, please try again later'],
  '503': [421, '4.3.2 Service not available, closing transmission channel'],
  'refuse-stream': [421, '4.3.2 Service not available, closing transmission channel'],
  '500': [451, '4.3.0 Requested action aborted: local error in processing'],
  '502': [451, '4.3.0 Requested action aborted: local error in processing'],
  '401': [530, '5.7.0 Authentication required'],
  expired: [530, '5.7.0 Authentication required'],
  '403-wrong-project': [550, '5.7.1 Relaying denied'],
  'no-project': [550, '5.7.1 Relaying denied'],
  'quota-day': [550, '5.4.5 Daily user sending limit exceeded'],
}
const OF_CODE: Readonly<Record<string, string>> = {
  '421': '4.3.2 Service not available',
  '450': '4.2.0 Mailbox busy',
  '451': '4.3.0 Local error in processing',
  '452': '4.5.3 Too many recipients',
  '550': '5.1.1 No such user',
  '551': '5.1.6 User not local',
  '552': '5.2.2 Mailbox full',
  '553': '5.1.3 Mailbox name not allowed',
  '554': '5.7.1 Message rejected as spam',
}
const DATA_CODE = /^data(\d{3})$/

export const AUTH_REFUSED = smtpError(535, '5.7.8 Username and password not accepted')
export const SENDER_REFUSED = smtpError(550, '5.7.1 Sender address rejected: not owned by user')
/** Not an SMTP answer at all: smtp-server writes whatever stands in the code's place. */
export const RUBBISH = smtpError('<html>' as unknown as number, 'this is no SMTP answer')

/** The answer to RCPT TO; undefined for what happens after DATA. */
export function recipientError({ kind, code }: Problem): SmtpError | undefined {
  if (kind === 'code') return code && !DATA_CODE.test(code) ? byCode(code) : undefined
  const row = OF_KIND[kind]
  return row && smtpError(row[0], row[1])
}

/** The refusal after DATA that `code-data554` asks for. */
export function dataError({ kind, code }: Problem): SmtpError | undefined {
  const digits = kind === 'code' ? DATA_CODE.exec(code ?? '')?.[1] : undefined
  return digits === undefined ? undefined : byCode(digits)
}

function byCode(code: string): SmtpError {
  const isTransient = code.startsWith('4')
  return smtpError(Number(code), OF_CODE[code] ?? `${isTransient ? '4' : '5'}.0.0 Refused`)
}

function smtpError(responseCode: number, text: string): SmtpError {
  return Object.assign(new Error(text), { responseCode })
}
