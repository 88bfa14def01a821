import { type HttpAnswer, jsonOf } from '../../http/http.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { classOfStatus, rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

/** Codes of v1 and v3, and the reasons by which v3 groups tokens. */
export const HUAWEI_VERDICTS: VerdictTable = {
  link: 'https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197',
  rows: [
    { when: '80000000', outcome: 'sent', codes: ['80000000'] },
    { when: '80100000, token not listed', outcome: 'sent', codes: ['80100000'], note: 'msg is JSON in a string' },
    { when: '80100000 v1, listed in illegal_tokens', outcome: 'invalid', codes: ['illegal_tokens'] },
    {
      when: '80100000 or 80300007 v3: tokenFormatError, tokenPlatformNotSupport',
      outcome: 'invalid',
      codes: ['tokenFormatError', 'tokenPlatformNotSupport'],
    },
    {
      when: '80100000 or 80300007 v3: noRight',
      outcome: 'invalidGated',
      codes: ['noRight'],
      note: 'another project, or a token of the other protocol',
    },
    { when: '80300007, no reason given', outcome: 'invalidGated', codes: ['80300007'], note: 'all tokens invalid' },
    {
      when: 'v3: noPushTypeRight, disableSendHuaweiMsgBecauseOfPenalty, appinfoError, noRightToSend…',
      outcome: 'channel',
      codes: ['noPushTypeRight', 'disableSendHuaweiMsgBecauseOfPenalty', 'appinfoError', 'noRightToSend'],
      note: 'rights of the project; no token is removed',
    },
    {
      when: 'v3: notSupportPlayVoice, countryNotSupport, atomicUnable…, differentImgVerifyPolicy',
      outcome: 'rejected',
      codes: ['notSupportPlayVoice', 'countryNotSupport', 'atomicUnable', 'differentImgVerifyPolicy'],
      note: 'so is any reason that is not listed here',
    },
    {
      when: '80100001, 80100003, 80100004, 80100013, 80100016, 80100018, 80100022, 80300008, 80300010, 80300011, 80300013',
      outcome: 'rejected',
      codes: [
        ...['80100001', '80100003', '80100004', '80100013', '80100016', '80100018', '80100022'],
        ...['80300008', '80300010', '80300011', '80300013'],
      ],
      note: 'a parameter, sensitive words, an image, the size',
    },
    {
      when: '80200001 not authenticated, 80200003 token expired, 80200005 JWT expired, HTTP 401',
      outcome: 'refresh',
      codes: ['80200001', '80200003', '80200005'],
      note: 'renewed and sent again once, then a credential error',
    },
    {
      when: '80300002 no permission, 80300036, 80300037 penalty, 80600003 OAuth failed',
      outcome: 'channel',
      codes: ['80300002', '80300036', '80300037', '80600003'],
    },
    { when: 'HTTP 503', outcome: 'busy', codes: ['503'], afterMs: 2000, note: 'more devices per second than allowed' },
    {
      when: '80100017 too many topic jobs, 80300029 test flow',
      outcome: 'busy',
      codes: ['80100017', '80300029'],
      afterMs: 5000,
    },
    { when: '81000001', outcome: 'deferred', codes: ['81000001'], note: 'internal error' },
  ],
}

const ROWS = rowsByCode(HUAWEI_VERDICTS)

/** What an answer says of all tokens of the request, and of those it lists. */
export type HuaweiAnswer = { all: Verdict; listed: ReadonlyMap<string, Verdict>; reply: unknown }

/** The body is read first: a business code can stand in an answer of HTTP 400. */
export function readHuaweiAnswer(answer: HttpAnswer): HuaweiAnswer {
  const reply = jsonOf(answer.text)
  const code = codeOf(reply)
  const listed = code === '80100000' || code === '80300007' ? listedOf(reply) : new Map<string, Verdict>()
  return { all: verdictOfAll(answer, code), listed, reply }
}

function verdictOfAll({ status, headers }: HttpAnswer, code: string): Verdict {
  const afterMs = retryAfterMs(headers['retry-after'])
  const row = ROWS.get(code) ?? (status === 503 ? ROWS.get('503') : undefined)
  if (row) return verdictOf(row, code || 'HTTP 503', afterMs)
  if (code !== '' && status < 500 && status !== 401 && status !== 429) return { is: 'rejected', reason: code }
  const is = status === 401 ? 'refresh' : classOfStatus(status)
  return { is, reason: code || `HTTP ${status}`, ...(afterMs === undefined ? {} : { afterMs }) }
}

/** Codes are text; a number is taken too. */
function codeOf(json: Record<string, unknown> | undefined): string {
  const code = json?.['code']
  return typeof code === 'number' || (typeof code === 'string' && /^\d{1,9}$/.test(code)) ? String(code) : ''
}

/** v1: `illegal_tokens`; v3: `illegalTokens` by reason, whose names may stand in blanks. */
function listedOf(reply: Record<string, unknown> | undefined): Map<string, Verdict> {
  const msg = typeof reply?.['msg'] === 'string' ? jsonOf(reply['msg']) : (reply?.['msg'] as object | undefined)
  const { illegal_tokens: tokens, illegalTokens: groups } = (msg ?? {}) as Record<string, unknown>
  const listed = new Map<string, Verdict>()
  for (const token of textsIn(tokens)) listed.set(token, verdictOfReason('illegal_tokens'))
  for (const [name, group] of Object.entries((groups ?? {}) as Record<string, unknown>)) {
    for (const token of textsIn(group)) listed.set(token, verdictOfReason(name.trim()))
  }
  return listed
}

const textsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []

/** A reason about the channel concerns these tokens only: the others of the request were accepted. */
function verdictOfReason(reason: string): Verdict {
  const row = ROWS.get(reason) ?? ROWS.get(/^(?:noRightToSend|atomicUnable)/.exec(reason)?.[0] ?? '')
  return row ? verdictOf(row, reason) : { is: 'rejected', reason }
}
