import { randomBytes } from 'node:crypto'
import type { Reply } from '../../http/exchange.ts'
import type { Failures, Problem, Submission } from '../settle.ts'
import { json } from '../token-endpoint.ts'

/** Error codes: https://developer.work.weixin.qq.com/document/path/90313 */
const ALL_INVALID = 81_013
const CODE_OF_KIND: Readonly<Record<string, number>> = {
  gone: ALL_INVALID,
  stale: ALL_INVALID,
  bad: 40_003,
  refused: 45_002,
  '429': 45_009,
  '503': -1,
  '500': -1,
  '401': 40_014,
  expired: 42_001,
  '403-wrong-project': 301_002,
  'no-project': 40_013,
  'quota-day': 45_009,
}
const TEXTS: Readonly<Record<number, string>> = {
  [-1]: 'system error',
  [ALL_INVALID]: 'user & party & tag all invalid',
  40001: 'invalid credential',
  40003: 'invalid userid',
  40008: 'invalid message type',
  40013: 'invalid corpid',
  40014: 'invalid access_token',
  40032: 'invalid user list size',
  40056: 'invalid agentid',
  41001: 'access_token missing',
  42001: 'access_token expired',
  44004: 'text message content is empty',
  45002: 'content size out of limit',
  45009: 'api freq out of limit',
  47001: 'data format error',
}

/** HTTP 200 with an errcode, whatever happened. */
export function failure(errcode: number): Reply {
  const hint = randomBytes(9).toString('hex')
  return json(200, {
    errcode,
    errmsg: `${TEXTS[errcode] ?? 'error'}, hint: [${hint}], more info at https://open.work.weixin.qq.com/devtool/query?e=${errcode}`,
  })
}

/** A code with a leading `n` is negative: `code-n1`. */
export function refusal({ kind, code }: Problem): Reply {
  return failure(kind === 'code' ? Number((code ?? 'n1').replace('n', '-')) : (CODE_OF_KIND[kind] ?? -1))
}

/** User ids come back in lower case. */
export function sent({ tokens }: Submission, failures: Failures): Reply {
  const of = (refused: boolean) =>
    tokens.filter((token) => failures.has(token) && (failures.get(token)?.kind === 'refused') === refused)
  const invalid = of(false)
  if (tokens.length > 0 && invalid.length === tokens.length) return failure(ALL_INVALID)
  return json(200, {
    errcode: 0,
    errmsg: 'ok',
    invaliduser: invalid.join('|').toLowerCase(),
    invalidparty: '',
    invalidtag: '',
    unlicenseduser: of(true).join('|').toLowerCase(),
    msgid: randomBytes(24).toString('base64url'),
    response_code: '',
  })
}
