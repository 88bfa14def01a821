import { behaviourOf } from '../../behaviours.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import { digestJson } from '../../journal/digest.ts'
import type { Answers, Submission } from '../settle.ts'
import { refuse, settle } from '../settle.ts'
import type { HttpVendor } from '../vendor.ts'
import { pathOnly } from '../vendor.ts'
import type { FcmMessage } from './check.ts'
import { checkMessage } from './check.ts'
import { grantGoogleToken } from './oauth.ts'
import { fieldViolation, methodMissing, refusal } from './replies.ts'

const PREFIX = '/v1/projects/'
const SUFFIX = '/messages:send'
/** Left out of digests: the target, and what changes from one attempt to the next. */
const NOT_MESSAGE = new Set(['token', 'topic', 'condition', 'fid', 'ttl', 'TTL', 'apns-expiration', 'apns-id'])
const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' }
const VALIDATED_ID = 'fake_message_id'

const ANSWERS: Answers = {
  behaviourOf,
  perMember: () => false,
  accepted: ({ account }) => accepted(account, nextId()),
  refused: refusal,
}

let lastId = 0

/**
 * FCM HTTP v1 and Google's token endpoint.
 * https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
 */
export class FcmVendor implements HttpVendor {
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
  }

  owns(path: string): boolean {
    return path === '/token' || path.startsWith(PREFIX)
  }

  handle(exchange: Exchange): void {
    const path = pathOnly(exchange)
    const { method } = exchange
    if (path === '/token') grantGoogleToken(this.context, exchange)
    else if (path.endsWith(SUFFIX) && method === 'POST') this.send(exchange, path.slice(PREFIX.length, -SUFFIX.length))
    else exchange.reply(methodMissing(method, path))
  }

  private send(exchange: Exchange, project: string): void {
    const denied = this.checkCredential(exchange) ?? checkType(exchange)
    const checked = denied ? { reply: denied } : checkMessage(exchange.body, exchange.bodyBytes)
    if ('reply' in checked) {
      const unread: Submission = { vendor: 'fcm', account: project, tokens: [], digest: 0, text: '' }
      refuse(this.context, exchange, unread, checked.reply)
    } else if (checked.validateOnly) exchange.reply(accepted(project, VALIDATED_ID))
    else settle(this.context, exchange, submissionOf(project, checked.message, exchange.body), ANSWERS)
  }

  private checkCredential(exchange: Exchange): Reply | undefined {
    const header = exchange.headers['authorization']
    const token = typeof header === 'string' && /^bearer /i.test(header) ? header.slice(7) : ''
    const state = this.context.accessTokens.fcm.stateOf(token)
    if (state === 'valid') return undefined
    return refusal({ kind: state === 'expired' ? 'expired' : '401' })
  }
}

function checkType(exchange: Exchange): Reply | undefined {
  const type = exchange.headers['content-type']
  if (typeof type === 'string' && type.startsWith('application/json')) return undefined
  return fieldViolation('', 'Content-Type must be application/json.')
}

function submissionOf(account: string, message: FcmMessage, text: string): Submission {
  const target = message.token ?? String(message['fid'] ?? message['topic'] ?? message['condition'])
  return { vendor: 'fcm', account, tokens: [target], digest: digestJson(message, NOT_MESSAGE), text }
}

function accepted(project: string, id: string): Reply {
  return { status: 200, headers: JSON_TYPE, body: `{\n  "name": "projects/${project}/messages/${id}"\n}\n` }
}

function nextId(): string {
  lastId++
  return `0:${lastId.toString().padStart(16, '0')}%simulator`
}
