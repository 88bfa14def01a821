import type { Reply } from '../../http/exchange.ts'
import type { Problem } from '../settle.ts'
import { json } from '../token-endpoint.ts'

/** Error codes: https://dev.mi.com/xiaomihyperos/documentation/detail?pId=1560 */
const CODE_OF_KIND: Readonly<Record<string, string>> = {
  gone: '20301',
  stale: '20301',
  bad: '20301',
  'no-project': '22000',
  refused: '10017',
  '429': '200002',
  '500': '10001',
  '401': '21301',
  expired: '21301',
  '403-wrong-project': '22007',
  'quota-day': '200001',
}
const REASONS: Readonly<Record<string, string>> = {
  '10001': 'System error',
  '10002': 'Service suspended, busy',
  '10016': 'Missing required parameter',
  '10017': 'Illegal parameter value',
  '10027': 'API call frequency is too high',
  '20301': 'Send failed: no valid targets',
  '21301': 'Authorization failed',
  '22000': 'Illegal application',
  '22007': 'The package name does not belong to the application',
  '27001': 'Invalid channel_id',
  '65009': 'The message is too long',
  '200001': 'The number of messages of the day exceeds the quota',
  '200002': 'The QPS of the application exceeds the limit',
}

let lastTrace = 0

export function accepted(badRegIds: readonly string[]): Reply {
  const id = `slm${nextTrace()}`
  const data = {
    id,
    day_quota: '1000000',
    day_acked: '0',
    ...(badRegIds.length > 0 && { bad_regids: badRegIds.join(',') }),
  }
  const info = 'Received push messages for 1 REGID'
  return json(200, { result: 'ok', trace_id: `X${nextTrace()}`, code: 0, data, description: '成功', info })
}

/** Xiaomi answers HTTP 200 with a code; only a proxy or a broken service answers another status. */
export function refusal({ kind, code }: Problem, reason?: string): Reply {
  if (kind === '503') return { status: 503, headers: { 'content-type': 'text/html' }, body: '<h1>503</h1>' }
  if (kind === '500') return { status: 500, headers: { 'content-type': 'text/html' }, body: '<h1>500</h1>' }
  const number = (kind === 'code' ? code : CODE_OF_KIND[kind]) ?? '10001'
  const text = reason ?? REASONS[number] ?? `Error ${number}`
  return json(200, {
    result: 'error',
    reason: text,
    trace_id: `X${nextTrace()}`,
    code: Number(number.replace('n', '-')),
    description: text,
  })
}

function nextTrace(): string {
  return (++lastTrace).toString(36).padStart(12, '0')
}
