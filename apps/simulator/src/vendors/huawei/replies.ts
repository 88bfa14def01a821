import { randomUUID } from 'node:crypto'
import type { Named } from '../../behaviours.ts'
import type { Reply } from '../../http/exchange.ts'
import type { Failures, Problem, Submission } from '../settle.ts'
import { json } from '../token-endpoint.ts'

/**
 * Result codes of Push Kit.
 * https://developer.huawei.com/consumer/en/doc/HMSCore-References/https-send-api-0000001050986197
 */
type Row = { status: number; text: string }
const CODES: Readonly<Record<string, Row>> = {
  '80000000': { status: 200, text: 'Success' },
  '80100000': { status: 200, text: 'Partial success' },
  '80100001': { status: 400, text: 'Incorrect message parameter' },
  '80100003': { status: 400, text: 'Incorrect message structure' },
  '80100004': { status: 400, text: 'The message expiration time is earlier than the current time' },
  '80100013': { status: 400, text: 'The collapse_key message field is invalid' },
  '80100016': { status: 400, text: 'The message contains sensitive information' },
  '80200001': { status: 401, text: 'Oauth authentication error' },
  '80200003': { status: 401, text: 'Oauth Token expired' },
  '80200005': { status: 401, text: 'Jwt Token expired' },
  '80300002': { status: 403, text: 'The current app does not have the permission to send messages' },
  '80300007': { status: 400, text: 'All tokens are invalid' },
  '80300008': { status: 400, text: 'The message body size exceeds the default value' },
  '80300010': { status: 400, text: 'The number of tokens in the message body exceeds the default value' },
  '80300036': { status: 401, text: 'The validity period of the JWT token exceeds one day' },
  '80600003': { status: 500, text: 'Failed to request the OAuth service' },
  '81000001': { status: 500, text: 'System inner error' },
}
const CODE_OF_KIND: Readonly<Record<string, string>> = {
  gone: '80300007',
  stale: '80300007',
  bad: '80300007',
  '403-wrong-project': '80300007',
  'no-project': '80300002',
  refused: '80100003',
  '401': '80200001',
  expired: '80200003',
  '500': '81000001',
  'quota-day': '80300029',
}
/** Under which reason v3 lists a token. */
const GROUP_OF_KIND: Readonly<Record<string, string>> = {
  gone: 'noRight',
  stale: 'noRight',
  '403-wrong-project': 'noRight',
  bad: 'tokenFormatError',
  refused: 'noPushTypeRight',
}

export function answer(code: string, msg?: string): Reply {
  const row = Object.hasOwn(CODES, code) ? CODES[code] : undefined
  const requestId = `${Date.now()}${randomUUID().replaceAll('-', '').slice(0, 18)}`
  return json(row?.status ?? 400, { code, msg: msg ?? row?.text ?? `Error ${code}`, requestId })
}

/** Too many requests and overload are both a bare HTTP 503 here, without Retry-After. */
export function refusal(problem: Problem, submission?: Submission): Reply {
  const { kind, code } = problem
  if (kind === '429' || kind === '503') return { status: 503, body: '' }
  if (kind === 'code' && submission?.version === 'v3' && !/^\d/.test(code ?? '')) {
    return answer('80300007', allInvalid(code || 'noRight', submission))
  }
  return answer(
    (kind === 'code' ? code : CODE_OF_KIND[kind]) ?? '81000001',
    allInvalid(GROUP_OF_KIND[kind], submission),
  )
}

/** v1: the dead tokens as a list, in a JSON string. */
export function partialV1({ tokens }: Submission, failures: Failures): Reply {
  if (failures.size === 0) return answer('80000000')
  const failed = tokens.filter((token) => failures.has(token))
  if (failed.length === tokens.length) return answer('80300007')
  const result = { success: tokens.length - failed.length, failure: failed.length, illegal_tokens: failed }
  return answer('80100000', JSON.stringify(result))
}

/** v3: the dead tokens grouped by reason, also when all are dead. */
export function partialV3({ tokens }: Submission, failures: Failures): Reply {
  if (failures.size === 0) return answer('80000000')
  const groups = new Map<string, string[]>()
  const failed = tokens.filter((token) => failures.has(token))
  for (const token of failed) {
    const group = groupOf(failures.get(token) as Named)
    groups.set(group, [...(groups.get(group) ?? []), token])
  }
  const result = {
    success: tokens.length - failed.length,
    failure: failed.length,
    illegalTokens: Object.fromEntries(groups),
  }
  return answer(failed.length === tokens.length ? '80300007' : '80100000', JSON.stringify(result))
}

function groupOf({ kind, code }: Named): string {
  return (kind === 'code' ? code : GROUP_OF_KIND[kind]) || 'noRight'
}

/** v3 names the tokens even where a fault makes all of them invalid. */
function allInvalid(group: string | undefined, submission: Submission | undefined): string | undefined {
  if (!submission || !group || submission.version !== 'v3') return undefined
  const { tokens } = submission
  return JSON.stringify({ success: 0, failure: tokens.length, illegalTokens: { [group]: tokens } })
}
