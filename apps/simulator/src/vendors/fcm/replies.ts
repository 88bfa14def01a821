import type { Reply } from '../../http/exchange.ts'
import type { Problem } from '../settle.ts'
import { json } from '../token-endpoint.ts'

/**
 * Error answers of FCM HTTP v1.
 * https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
 * https://firebase.google.com/docs/cloud-messaging/error-codes
 */
const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'
const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo'
const BUSY_RETRY_SECONDS = 1

type Row = { status: number; name: string; message: string; code?: string; field?: string; info?: string }

const UNAUTHENTICATED: Row = {
  status: 401,
  name: 'UNAUTHENTICATED',
  message:
    'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid ' +
    'authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.',
  info: 'ACCESS_TOKEN_TYPE_UNSUPPORTED',
}
const NOT_FOUND = { status: 404, name: 'NOT_FOUND', message: 'Requested entity was not found.' }
const QUOTA: Row = {
  status: 429,
  name: 'RESOURCE_EXHAUSTED',
  message: "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute'.",
  code: 'QUOTA_EXCEEDED',
}
const ROWS: Readonly<Record<string, Row>> = {
  gone: { ...NOT_FOUND, code: 'UNREGISTERED' },
  stale: { ...NOT_FOUND, code: 'UNREGISTERED' },
  'no-project': NOT_FOUND,
  bad: {
    status: 400,
    name: 'INVALID_ARGUMENT',
    message: 'The registration token is not a valid FCM registration token',
    code: 'INVALID_ARGUMENT',
  },
  refused: { status: 400, name: 'INVALID_ARGUMENT', message: 'Android message is too big', field: 'message' },
  '401': UNAUTHENTICATED,
  expired: { ...UNAUTHENTICATED, info: 'ACCESS_TOKEN_EXPIRED' },
  '403-wrong-project': {
    status: 403,
    name: 'PERMISSION_DENIED',
    message: 'SenderId mismatch',
    code: 'SENDER_ID_MISMATCH',
  },
  '429': QUOTA,
  'quota-day': QUOTA,
  '503': { status: 503, name: 'UNAVAILABLE', message: 'The service is currently unavailable.', code: 'UNAVAILABLE' },
  '500': { status: 500, name: 'INTERNAL', message: 'Internal error encountered.', code: 'INTERNAL' },
}
/** By FCM's own error codes, for `code-…` tokens and the fault `code`. */
const CODES: Readonly<Record<string, Row | undefined>> = {
  UNREGISTERED: ROWS['gone'],
  INVALID_ARGUMENT: ROWS['bad'],
  FIELD: ROWS['refused'],
  TOKEN_FIELD: {
    status: 400,
    name: 'INVALID_ARGUMENT',
    message: 'Invalid registration token',
    field: 'message.token',
  },
  SENDER_ID_MISMATCH: ROWS['403-wrong-project'],
  QUOTA_EXCEEDED: QUOTA,
  UNAVAILABLE: ROWS['503'],
  INTERNAL: ROWS['500'],
  UNAUTHENTICATED,
  NOT_FOUND,
  THIRD_PARTY_AUTH_ERROR: {
    status: 401,
    name: 'UNAUTHENTICATED',
    message: 'Auth error from APNS or Web Push Service',
    code: 'THIRD_PARTY_AUTH_ERROR',
  },
  PERMISSION_DENIED: {
    status: 403,
    name: 'PERMISSION_DENIED',
    message: 'Firebase Cloud Messaging API has not been used in this project before or it is disabled.',
    info: 'SERVICE_DISABLED',
  },
}

/** A code that FCM does not have is said to be the field at fault. */
function rowOf(code = ''): Row | undefined {
  if (Object.hasOwn(CODES, code)) return CODES[code]
  return { status: 400, name: 'INVALID_ARGUMENT', message: 'Invalid value', field: code }
}

export function refusal({ kind, code, retryAfterSeconds }: Problem): Reply {
  const row = (kind === 'code' ? rowOf(code) : ROWS[kind]) ?? (ROWS['500'] as Row)
  const waits = kind === '429' || kind === '503' ? BUSY_RETRY_SECONDS : undefined
  const retryAfter = retryAfterSeconds ?? waits
  return json(row.status, errorBody(row), retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) })
}

/** 400 with the field that is wrong. */
export function fieldViolation(field: string, description: string): Reply {
  const message = field === '' ? `Invalid JSON payload received. ${description}` : description
  return json(400, errorBody({ status: 400, name: 'INVALID_ARGUMENT', message, field }))
}

export function methodMissing(method: string, path: string): Reply {
  return json(404, errorBody({ ...NOT_FOUND, message: `No method ${method} ${path}` }))
}

function errorBody({ status, name, message, code, field, info }: Row): object {
  const details: object[] = []
  if (code) details.push({ '@type': FCM_ERROR, errorCode: code })
  if (info) details.push({ '@type': ERROR_INFO, reason: info, domain: 'googleapis.com' })
  if (field !== undefined) {
    details.push({ '@type': BAD_REQUEST, fieldViolations: [{ ...(field && { field }), description: message }] })
  }
  return { error: { code: status, message, status: name, ...(details.length > 0 && { details }) } }
}
