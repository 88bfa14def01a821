import { randomUUID } from 'node:crypto'
import { apnsBehaviourOf } from '../../behaviours.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import { digestText } from '../../journal/digest.ts'
import type { Answers, Submission } from '../settle.ts'
import { refuse, settle } from '../settle.ts'
import type { HttpVendor } from '../vendor.ts'
import { pathOnly } from '../vendor.ts'
import { findReason } from './check.ts'
import { Providers } from './provider.ts'
import { reasonFor, statusOf } from './reasons.ts'

const PREFIX = '/3/device/'
const YEAR_MS = 365 * 24 * 3600_000

/** APNs over HTTP/2, with provider tokens (ES256) or a TLS client certificate. */
export class ApnsVendor implements HttpVendor {
  private readonly context: Context
  private readonly providers: Providers

  constructor(context: Context) {
    this.context = context
    this.providers = new Providers(context)
  }

  owns(path: string): boolean {
    return path.startsWith('/3/')
  }

  handle(exchange: Exchange): void {
    if (exchange.protocol !== 'HTTP/2') {
      exchange.reply({ status: 505, body: 'APNs speaks HTTP/2 only\n' })
      return
    }
    const path = pathOnly(exchange)
    const token = path.slice(PREFIX.length)
    const provider = this.providers.check(exchange)
    const topic = topicOf(exchange, provider)
    const account = 'team' in provider ? `${provider.team}/${topic}` : topic
    const submission: Submission = { vendor: 'apns', account, tokens: [token], digest: 0, text: exchange.body }
    const reason =
      (exchange.method === 'POST' ? undefined : 'MethodNotAllowed') ??
      (path.startsWith(PREFIX) ? undefined : 'BadPath') ??
      ('reason' in provider ? provider.reason : findReason(exchange, token, topic))
    submission.digest = digestText(exchange.body)
    if (reason) refuse(this.context, exchange, submission, replyWith(exchange, reason))
    else settle(this.context, exchange, submission, answersTo(exchange))
  }
}

function topicOf(exchange: Exchange, provider: { defaultTopic?: string } | { reason: string }): string {
  const topic = exchange.headers['apns-topic']
  if (typeof topic === 'string') return topic
  return 'defaultTopic' in provider ? (provider.defaultTopic ?? '') : ''
}

function answersTo(exchange: Exchange): Answers {
  return {
    behaviourOf: apnsBehaviourOf,
    perMember: () => false,
    accepted: () => ({ status: 200, headers: { 'apns-id': idOf(exchange) }, body: '' }),
    refused: (problem) => {
      const retryAfter = problem.retryAfterSeconds
      const since = problem.kind === 'stale' ? Date.now() - YEAR_MS : Date.now()
      return replyWith(exchange, reasonFor(problem), { since, ...(retryAfter !== undefined && { retryAfter }) })
    },
  }
}

function replyWith(exchange: Exchange, reason: string, extra: { since?: number; retryAfter?: number } = {}): Reply {
  const status = statusOf(reason)
  const body = status === 410 ? { reason, timestamp: extra.since ?? Date.now() } : { reason }
  const retryAfter = extra.retryAfter === undefined ? undefined : { 'retry-after': String(extra.retryAfter) }
  const headers = { 'apns-id': idOf(exchange), 'content-type': 'application/json', ...retryAfter }
  return { status, headers, body: JSON.stringify(body) }
}

/** The id the sender gave, else a new one, in Apple's spelling. */
function idOf({ headers }: Exchange): string {
  const id = headers['apns-id']
  return typeof id === 'string' ? id : randomUUID().toUpperCase()
}
