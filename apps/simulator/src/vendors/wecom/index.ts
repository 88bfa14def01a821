import type { Named } from '../../behaviours.ts'
import { behaviourOf } from '../../behaviours.ts'
import { nowMs } from '../../clock.ts'
import type { Context } from '../../context.ts'
import type { Exchange, Reply } from '../../http/exchange.ts'
import { digestJson, digestText } from '../../journal/digest.ts'
import type { Answers, Submission } from '../settle.ts'
import { refuse, settle } from '../settle.ts'
import { answerTokenCall, json } from '../token-endpoint.ts'
import type { HttpVendor } from '../vendor.ts'
import { pathOnly } from '../vendor.ts'
import type { Checked, Json } from './check.ts'
import { checkMessage } from './check.ts'
import { failure, refusal, sent } from './replies.ts'

const GET_TOKEN = '/cgi-bin/gettoken'
const SEND = '/cgi-bin/message/send'
const NOT_MESSAGE = new Set(['touser', 'toparty', 'totag'])
const DUPLICATE_CHECK_SECONDS = 1800
const MAX_DUPLICATE_CHECK_SECONDS = 4 * 3600
const [TOKEN_MISSING, TOKEN_WRONG, TOKEN_EXPIRED, SECRET_WRONG, CORP_MISSING] = [41_001, 40_014, 42_001, 40_001, 40_013]

const ANSWERS: Answers = {
  behaviourOf,
  perMember: ({ kind }: Named) => kind === 'gone' || kind === 'stale' || kind === 'bad' || kind === 'refused',
  accepted: sent,
  refused: refusal,
}

/** WeCom application messages: gettoken and message/send. */
export class WecomVendor implements HttpVendor {
  private readonly context: Context
  /** The valid token of a corp and secret: repeated calls are given the same. */
  private readonly tokens = new Map<string, string>()
  /** Until when a body of an application counts as a repetition. */
  private readonly sentBodies = new Map<string, number>()

  constructor(context: Context) {
    this.context = context
  }

  owns(path: string): boolean {
    return path.startsWith('/cgi-bin/')
  }

  handle(exchange: Exchange): void {
    const path = pathOnly(exchange)
    const query = new URLSearchParams(exchange.path.slice(path.length + 1))
    if (path === GET_TOKEN && exchange.method === 'GET') this.grant(exchange, query)
    else if (path === SEND && exchange.method === 'POST') this.send(exchange, query.get('access_token') ?? '')
    else exchange.reply({ status: 404, body: '' })
  }

  private grant(exchange: Exchange, query: URLSearchParams): void {
    const corp = query.get('corpid') ?? ''
    const secret = query.get('corpsecret') ?? ''
    const isKnown = secret !== '' && !secret.startsWith('bad-')
    const denied = failure(SECRET_WRONG)
    const granted = () => (corp === '' ? failure(CORP_MISSING) : isKnown ? this.tokenReply(corp, secret) : denied)
    answerTokenCall(this.context, exchange, { vendor: 'wecom', account: corp }, { granted, denied, down: failure(-1) })
  }

  private tokenReply(corp: string, secret: string): Reply {
    const issued = this.context.accessTokens.wecom
    const seconds = this.context.settings.wecomTokenSeconds
    const key = `${corp} ${secret}`
    let token = this.tokens.get(key)
    if (token === undefined || issued.stateOf(token) !== 'valid') token = issued.issue(corp, seconds)
    this.tokens.set(key, token)
    return json(200, { errcode: 0, errmsg: 'ok', access_token: token, expires_in: seconds })
  }

  private send(exchange: Exchange, token: string): void {
    const checked = checkMessage(exchange.body)
    const account = `${this.context.accessTokens.wecom.ownerOf(token) ?? token}/${checked.agentId}`
    const submission = this.submissionOf(exchange, account, checked)
    const errcode = this.checkToken(token) ?? checked.problem
    if (errcode) refuse(this.context, exchange, submission, failure(errcode))
    else if (settle(this.context, exchange, submission, ANSWERS)) this.remember(account, exchange.body, checked.message)
  }

  private submissionOf(exchange: Exchange, account: string, { message, touser }: Checked): Submission {
    return {
      vendor: 'wecom',
      account,
      tokens: touser,
      digest: digestJson(message, NOT_MESSAGE),
      text: exchange.body,
      suppressed: this.isRepetition(account, exchange.body, message),
    }
  }

  private checkToken(token: string): number | undefined {
    if (token === '') return TOKEN_MISSING
    const state = this.context.accessTokens.wecom.stateOf(token)
    if (state === 'valid') return undefined
    return state === 'expired' ? TOKEN_EXPIRED : TOKEN_WRONG
  }

  /** The check wants the same bytes: another order of users is another message. */
  private isRepetition(account: string, body: string, message: Json): boolean {
    if (message['enable_duplicate_check'] !== 1) return false
    return (this.sentBodies.get(`${account} ${digestText(body)}`) ?? 0) > nowMs()
  }

  private remember(account: string, body: string, message: Json): void {
    if (message['enable_duplicate_check'] !== 1) return
    const asked = Number(message['duplicate_check_interval'] ?? DUPLICATE_CHECK_SECONDS)
    const seconds = Math.min(asked, MAX_DUPLICATE_CHECK_SECONDS)
    this.sentBodies.set(`${account} ${digestText(body)}`, nowMs() + seconds * 1000)
  }
}
