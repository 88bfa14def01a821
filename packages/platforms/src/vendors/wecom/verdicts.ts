import { type HttpAnswer, jsonOf } from '../../http/http.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { classOfStatus, rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

export const WECOM_VERDICTS: VerdictTable = {
  link: 'https://developer.work.weixin.qq.com/document/path/90313',
  rows: [
    { when: '0, user not listed', outcome: 'sent', codes: ['0'] },
    {
      when: '0, listed in invaliduser',
      outcome: 'invalidGated',
      codes: ['invaliduser'],
      note: 'has left, or was moved out of the range that the app may see',
    },
    { when: '0, listed in unlicenseduser', outcome: 'rejected', codes: ['unlicenseduser'], note: 'the user is kept' },
    {
      when: '81013 all receivers invalid, 40003, 40031, 46004, 60111',
      outcome: 'invalidGated',
      codes: ['81013', '40003', '40031', '46004', '60111'],
    },
    {
      when: '60011, 50002, 60021 out of scope',
      outcome: 'rejected',
      codes: ['60011', '50002', '60021'],
      note: 'the user is kept',
    },
    { when: '-1, 6000', outcome: 'deferred', codes: ['-1', '6000'], note: 'system busy, data in conflict' },
    { when: '45009 frequency', outcome: 'busy', codes: ['45009'], afterMs: 60_000 },
    { when: '45033 concurrency', outcome: 'busy', codes: ['45033'], afterMs: 2000 },
    {
      when: '40014, 42001, 41001, 40001',
      outcome: 'refresh',
      codes: ['40014', '42001', '41001', '40001'],
      note: 'the access token; fetched and sent again once, then a credential error',
    },
    {
      when: '40013, 40056, 301002, 48002, 48004, 50001, 50003, 60020 IP not trusted, 301007, 2000002',
      outcome: 'channel',
      codes: ['40013', '40056', '301002', '48002', '48004', '50001', '50003', '60020', '301007', '2000002'],
      note: 'corp, agent, rights',
    },
    {
      when: '40008, 40032, 40035, 40058, 40063, 44004, 45002, 47001, 82001–82003',
      outcome: 'rejected',
      codes: [
        ...['40008', '40032', '40035', '40058', '40063', '44004', '45002', '47001'],
        ...['82001', '82002', '82003'],
      ],
      note: 'a parameter or a text that is too long',
    },
  ],
}

const ROWS = rowsByCode(WECOM_VERDICTS)
const rowOf = (code: string): Verdict => verdictOf(ROWS.get(code) ?? { when: code, outcome: 'rejected' }, code)

/** What an answer says of all users, and of those it lists, by their names in lower case as WeCom gives them back. */
export type WecomAnswer = { all: Verdict; listed: ReadonlyMap<string, Verdict>; reply: unknown }

/** HTTP is 200 for everything: `errcode` decides, `errmsg` is for people. */
export function readWecomAnswer(answer: HttpAnswer): WecomAnswer {
  const reply = jsonOf(answer.text)
  const code = errcodeOf(reply)
  const listed = new Map<string, Verdict>()
  if (code === '0') {
    for (const list of ['invaliduser', 'unlicenseduser'] as const) {
      for (const user of usersIn(reply?.[list])) listed.set(user.toLowerCase(), rowOf(list))
    }
  }
  return { all: verdictOfAll(answer, code), listed, reply }
}

/** The number in `errcode`, as text; empty where there is none. */
export function errcodeOf(json: Record<string, unknown> | undefined): string {
  const code = json?.['errcode']
  return typeof code === 'number' && Number.isSafeInteger(code) ? String(code) : ''
}

function verdictOfAll({ status, headers }: HttpAnswer, code: string): Verdict {
  if (code !== '') return rowOf(code)
  const afterMs = retryAfterMs(headers['retry-after'])
  return { is: classOfStatus(status), reason: `HTTP ${status}`, ...(afterMs === undefined ? {} : { afterMs }) }
}

const usersIn = (list: unknown): string[] =>
  typeof list === 'string' ? list.split('|').filter((user) => user !== '') : []
