import { createHash } from 'node:crypto'
import type { Message } from '@fanfare/core'
import type { SendMailOptions } from 'nodemailer'
import { checkLength, firstText } from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'
import { domainOf, type Mailbox } from './address.ts'

/** What all mails of a batch share. */
export type Letter = Pick<SendMailOptions, 'from' | 'subject' | 'text' | 'html' | 'headers'>

const MAX_SUBJECT = 255
const MAX_PART_BYTES = 1024 * 1024

/**
 * `email{subject, text, html}` over title and content (docs/wire-api.md §4.3). A text part always stands beside the
 * HTML. Throws UnfitMessage where a part is too long.
 */
export function letterOf(message: Message, from: Mailbox): Letter {
  const given = message.email ?? {}
  const subject = (firstText(given['subject'], message.title) ?? '').replace(/[\r\n\0]+/g, ' ')
  const text = firstText(given['text'], message.content) ?? ''
  const html = firstText(given['html'])
  checkLength('email.subject', subject, MAX_SUBJECT)
  checkBytes('email.text', text)
  checkBytes('email.html', html ?? '')
  return {
    from,
    subject,
    text,
    ...(html === undefined ? {} : { html }),
    headers: { 'Auto-Submitted': 'auto-generated' },
  }
}

/**
 * One mail for one recipient. The envelope is given, so nothing in a header can add a recipient; the Message-ID is the
 * delivery's in every try, by which many stores hide a repetition (docs/reliability.md §3.1).
 */
export function mailFor(delivery: { id: string; address: string }, letter: Letter, from: Mailbox): SendMailOptions {
  const { id, address } = delivery
  return {
    ...letter,
    to: { name: '', address },
    envelope: { from: from.address, to: [address] },
    messageId: messageIdOf(id, from),
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

export function messageIdOf(deliveryId: string, from: Mailbox): string {
  const digest = createHash('sha256').update(deliveryId).digest('hex').slice(0, 32)
  return `<${digest}@${domainOf(from.address)}>`
}

function checkBytes(field: string, text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_PART_BYTES) throw new UnfitMessage(`${field}: ${bytes} bytes, ${MAX_PART_BYTES} are allowed`)
}
