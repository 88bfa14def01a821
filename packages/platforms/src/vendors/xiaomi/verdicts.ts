import { type HttpAnswer, jsonOf } from '../../http/http.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { classOfStatus, rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

export const XIAOMI_VERDICTS: VerdictTable = {
  link: 'https://dev.mi.com/distribute/doc/details?pId=1560',
  rows: [
    { when: '0', outcome: 'sent', note: 'all but those of data.bad_regids' },
    { when: '0, listed in data.bad_regids (or bad_regIds)', outcome: 'invalid' },
    {
      when: '20301 send failed, one device, no valid target',
      outcome: 'invalid',
      note: 'several devices: the batch is split in halves once, a half that fails again is rejected',
    },
    { when: '20301 send failed', codes: ['20301'], outcome: 'rejected', note: 'after the split' },
    {
      when: '10029 illegal device, 65003 device not found or offline',
      codes: ['10029', '65003'],
      outcome: 'rejected',
      note: 'the token is kept',
    },
    {
      when: '-1, 1, 10001, 10002, 10003, 10037, 20607, 26003, 65029, 65030',
      codes: ['-1', '1', '10001', '10002', '10003', '10037', '20607', '26003', '65029', '65030'],
      outcome: 'deferred',
      note: 'system busy, request expired',
    },
    {
      when: '200002 over the QPS, 10027 calls too frequent, 26004',
      codes: ['200002', '10027', '26004'],
      outcome: 'busy',
      afterMs: 1000,
    },
    {
      when: '200001, 10034 quota of the day',
      codes: ['200001', '10034'],
      outcome: 'quotaDay',
    },
    {
      when: '21301, 21302, 21303, 22000, 22006, 22007, 22022, 10031, 10036',
      codes: ['21301', '21302', '21303', '22000', '22006', '22007', '22022', '10031', '10036'],
      outcome: 'channel',
      note: 'app secret, package or application; black list',
    },
    { when: '27001 channel id invalid or missing', codes: ['27001'], outcome: 'channel' },
    {
      when: '10008, 10012, 10016, 10017, 21305, 65009, 65014, 65015, 65036–65038, 26006',
      codes: [
        '10008',
        '10012',
        '10016',
        '10017',
        '21305',
        '65009',
        '65014',
        '65015',
        '65036',
        '65037',
        '65038',
        '26006',
      ],
      outcome: 'rejected',
      note: 'a parameter, a text that is too long or needs an audit',
    },
  ],
}

const ROWS = rowsByCode(XIAOMI_VERDICTS)
const SENT: Verdict = { is: 'sent', reason: '' }

/** What an answer says of all tokens of the request, before the exceptions of `bad_regids`. */
export type XiaomiAnswer = { code: string; all: Verdict; bad: ReadonlySet<string>; noTarget: boolean; reply: unknown }

export function readXiaomiAnswer(answer: HttpAnswer): XiaomiAnswer {
  const json = jsonOf(answer.text)
  const code = codeOf(json)
  const nothing = { bad: new Set<string>(), noTarget: false, reply: json }
  if (json && code === '0' && answer.status === 200) return { ...nothing, code, all: SENT, bad: badOf(json) }
  const row = ROWS.get(code)
  const afterMs = retryAfterMs(answer.headers['retry-after'])
  if (row) return { ...nothing, code, all: verdictOf(row, code, afterMs), noTarget: saysNoTarget(json) }
  const is = code === '' || answer.status !== 200 ? classOfStatus(answer.status) : 'rejected'
  const reason = code === '' ? `HTTP ${answer.status}` : code
  return { ...nothing, code, all: { is, reason, ...(afterMs === undefined ? {} : { afterMs }) } }
}

/** A code is a number, or one written as text. */
function codeOf(json: Record<string, unknown> | undefined): string {
  const code = json?.['code']
  return typeof code === 'number' || (typeof code === 'string' && /^-?\d{1,9}$/.test(code)) ? String(code) : ''
}

function badOf(json: Record<string, unknown>): Set<string> {
  const data = json['data'] as Record<string, unknown> | undefined
  const bad = data?.['bad_regids'] ?? data?.['bad_regIds']
  const list = Array.isArray(bad) ? bad.map(String) : typeof bad === 'string' ? bad.split(',') : []
  return new Set(list.map((regId) => regId.trim()).filter((regId) => regId !== ''))
}

const saysNoTarget = (json: Record<string, unknown> | undefined): boolean =>
  /no valid|invalid (?:reg|target)|没有有效|无效/i.test(`${String(json?.['reason'])} ${String(json?.['description'])}`)
