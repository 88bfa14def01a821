import type { JsonValue } from '@fanfare/core'
import { jsonOf } from '../../http/http.ts'
import type { Call } from '../../http/http2/call.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { classOfStatus, rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

/**
 * Error bodies are read by us: firebase-admin gives one code to answers that mean different things (docs/vendors.md
 * §2).
 */
export const FCM_VERDICTS: VerdictTable = {
  link: 'https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode',
  rows: [
    { when: '200 with a message name', outcome: 'sent' },
    { when: '404 UNREGISTERED', codes: ['UNREGISTERED'], outcome: 'invalid', note: 'the app was removed' },
    { when: '404 without an FcmError', codes: ['NOT_FOUND'], outcome: 'channel', note: 'wrong project id' },
    {
      when: '400 INVALID_ARGUMENT that names the token',
      codes: ['INVALID_ARGUMENT token'],
      outcome: 'invalid',
      note: 'not a registration token; by its message, or by the field message.token',
    },
    {
      when: '400 INVALID_ARGUMENT of another field',
      codes: ['INVALID_ARGUMENT'],
      outcome: 'rejected',
      note: 'the reason names the field',
    },
    {
      when: '403 SENDER_ID_MISMATCH',
      codes: ['SENDER_ID_MISMATCH'],
      outcome: 'invalidGated',
      note: 'a token of another project',
    },
    {
      when: '403 PERMISSION_DENIED without an FcmError',
      codes: ['PERMISSION_DENIED'],
      outcome: 'channel',
      note: 'API disabled, or the account lacks the right',
    },
    { when: '401 UNAUTHENTICATED', codes: ['UNAUTHENTICATED'], outcome: 'refresh', note: 'one new access token' },
    {
      when: '401 THIRD_PARTY_AUTH_ERROR',
      codes: ['THIRD_PARTY_AUTH_ERROR'],
      outcome: 'channel',
      scope: 'member',
      note: 'the APNs or web push key uploaded to Firebase; only Apple and web tokens',
    },
    {
      when: '429 QUOTA_EXCEEDED, RESOURCE_EXHAUSTED',
      codes: ['QUOTA_EXCEEDED', 'RESOURCE_EXHAUSTED'],
      outcome: 'busy',
      afterMs: 60_000,
      note: 'Retry-After, else 60 s',
    },
    {
      when: '500 INTERNAL, 503 UNAVAILABLE, 502 and 504 with any body',
      codes: ['INTERNAL', 'UNAVAILABLE'],
      outcome: 'deferred',
      afterMs: 10_000,
      note: 'Retry-After, else 10 s',
    },
  ],
}

const ROWS = rowsByCode(FCM_VERDICTS)
const SENT: Verdict = { is: 'sent', reason: '' }

/** `wantsReply`: the raw answer goes into the result; for synchronous pushes, a chunk of a task does not need it. */
export function judgeFcm(call: Call, wantsReply: boolean): Verdict {
  const verdict = verdictOfCall(call)
  return wantsReply ? { ...verdict, reply: jsonOf(call.text) } : verdict
}

function verdictOfCall(call: Call): Verdict {
  if (call.status === 200) {
    return /"name"\s*:\s*"/.test(call.text) ? SENT : { is: 'unknown', reason: 'HTTP 200 with an unreadable body' }
  }
  const afterMs = retryAfterMs(call.answer?.['retry-after'])
  const { code, field } = errorOf(call.text)
  const row = ROWS.get(code) ?? (call.status === 502 || call.status === 504 ? ROWS.get('UNAVAILABLE') : undefined)
  if (row)
    return verdictOf(
      row,
      (field && row.outcome === 'rejected' ? `${code}: ${field}` : code) || `HTTP ${call.status}`,
      afterMs,
    )
  return {
    is: classOfStatus(call.status),
    reason: `HTTP ${call.status}`,
    ...(afterMs === undefined ? {} : { afterMs }),
  }
}

type Detail = { '@type'?: string; errorCode?: string; fieldViolations?: { field?: string }[] }
type FcmError = { status?: string; message?: string; details?: Detail[] }

/** The key of the verdict table, and the field at fault where the answer names one. */
function errorOf(text: string): { code: string; field?: string } {
  const error = jsonOf(text)?.['error'] as (FcmError & JsonValue) | undefined
  const details = Array.isArray(error?.details) ? error.details : []
  const fcm = details.find((detail) => String(detail?.['@type']).endsWith('FcmError'))?.errorCode
  const code = String(fcm ?? error?.status ?? '')
  if (code !== 'INVALID_ARGUMENT') return { code }
  const field = details.flatMap((detail) => detail?.fieldViolations ?? []).find((violation) => violation?.field)?.field
  if (field === 'message.token' || (field === undefined && /registration token/i.test(String(error?.message)))) {
    return { code: 'INVALID_ARGUMENT token' }
  }
  return field === undefined ? { code } : { code, field: String(field).slice(0, 80) }
}
