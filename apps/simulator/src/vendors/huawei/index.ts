import type { Named } from '../../behaviours.ts'
import { behaviourOf } from '../../behaviours.ts'
import type { Context } from '../../context.ts'
import type { Exchange } from '../../http/exchange.ts'
import { digestJson } from '../../journal/digest.ts'
import type { Answers, Submission } from '../settle.ts'
import { refuse, settle } from '../settle.ts'
import type { HttpVendor } from '../vendor.ts'
import { pathOnly } from '../vendor.ts'
import { checkV1, checkV3 } from './check.ts'
import { checkCredential, grantHuaweiToken } from './credential.ts'
import { answer, partialV1, partialV3, refusal } from './replies.ts'

const SEND = /^\/(v[123])\/([^/]{1,64})\/messages:send$/
const OAUTH = /^\/oauth2\/v[23]\/token$/
/** Left out of digests: the targets, and what changes from one attempt to the next. */
const NOT_MESSAGE = new Set(['token', 'target', 'ttl'])
const PUSH_TYPES = new Set(['0', '1', '2', '3', '4', '5', '6', '7', '10'])
const WRONG_PARAMETER = '80100001'

const V1: Answers = {
  behaviourOf,
  perMember: ({ kind }: Named) => kind === 'gone' || kind === 'stale' || kind === 'bad',
  accepted: partialV1,
  refused: refusal,
}
const V3: Answers = {
  behaviourOf,
  perMember: ({ kind, code }: Named) =>
    V1.perMember({ kind, times: 0, delayMs: 0 }) ||
    kind === 'refused' ||
    kind === '403-wrong-project' ||
    (kind === 'code' && !/^\d/.test(code ?? '')),
  accepted: partialV3,
  refused: refusal,
}

/** Huawei Push Kit: v1/v2 for Android, v3 for HarmonyOS, and its OAuth endpoint. */
export class HuaweiVendor implements HttpVendor {
  private readonly context: Context

  constructor(context: Context) {
    this.context = context
  }

  owns(path: string): boolean {
    return SEND.test(path) || OAUTH.test(path)
  }

  handle(exchange: Exchange): void {
    const [, version, account] = SEND.exec(pathOnly(exchange)) ?? []
    if (version === undefined || account === undefined) grantHuaweiToken(this.context, exchange)
    else if (exchange.method !== 'POST') exchange.reply({ status: 405, body: '' })
    else this.send(exchange, version, account)
  }

  private send(exchange: Exchange, version: string, account: string): void {
    const { body, bodyBytes } = exchange
    const { tokens, content, problem } = version === 'v3' ? checkV3(body, bodyBytes) : checkV1(body, bodyBytes)
    const digest = digestJson(content, NOT_MESSAGE)
    const submission: Submission = { vendor: 'huawei', account, tokens, digest, text: body, version }
    const code = checkCredential(this.context, exchange, version) ?? checkType(exchange) ?? problem
    if (code) refuse(this.context, exchange, submission, answer(code))
    else settle(this.context, exchange, submission, version === 'v3' ? V3 : V1)
  }
}

function checkType({ headers }: Exchange): string | undefined {
  const type = headers['content-type']
  const pushType = headers['push-type']
  if (typeof type !== 'string' || !type.startsWith('application/json')) return WRONG_PARAMETER
  return pushType === undefined || PUSH_TYPES.has(String(pushType)) ? undefined : WRONG_PARAMETER
}
