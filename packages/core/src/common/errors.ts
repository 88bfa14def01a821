/**
 * Every error of the wire: code → HTTP status, the envelope's `error` and `exception`, and the sentence.
 * `{name}` in a sentence is filled from the details. The table generates the envelope and the list in docs/http-api.md.
 */
export const ERRORS = {
  JSON_PARSE: [400, 'json_parse', 'JsonParseException', 'The request body is not valid JSON: {detail}'],
  HTTP_INVALID: [400, 'illegal_argument', 'IllegalArgumentException', 'this is no valid HTTP/1.1 request'],
  BAD_PARAMETER: [400, 'IllegalArgumentException', 'IllegalArgumentException', '{field}: {detail}'],
  BAD_MESSAGE: [400, 'MessageException', 'MessageException', 'bad_request: {field}: {detail}'],
  SYNC_ONE_USER: [
    400,
    'IllegalArgumentException',
    'IllegalArgumentException',
    'targets: a synchronous push takes exactly one user, {count} were given',
  ],
  BINDING_INVALID: [400, 'IllegalArgumentException', 'IllegalArgumentException', 'parameters is invalid : {detail}'],
  USER_UNKNOWN: [
    400,
    'RequiredPropertyNotFoundException',
    'RequiredPropertyNotFoundException',
    'Entity user requires a property named username',
  ],
  LABEL_UNKNOWN: [400, 'ResourceNotFoundException', 'ResourceNotFoundException', 'push label not exists of {label}'],
  LABEL_EXISTS: [
    400,
    'IllegalArgumentException',
    'IllegalArgumentException',
    'name: push label {label} already exists',
  ],
  GRANT_TYPE: [400, 'invalid_grant', 'InvalidGrantException', 'grant_type must be client_credentials'],
  CLIENT_ID_MISSING: [400, 'illegal_argument', 'IllegalArgumentException', 'client_id must be provided.'],
  CLIENT_SECRET_MISSING: [400, 'illegal_argument', 'IllegalArgumentException', 'client_secret must be provided'],
  CLIENT_ID_WRONG: [400, 'invalid_grant', 'InvalidGrantException', 'client_id does not match'],
  CLIENT_SECRET_WRONG: [400, 'invalid_grant', 'InvalidGrantException', 'client_secret does not match'],
  TOKEN_MISSING: [401, 'unauthorized', 'EasemobSecurityException', 'Unable to authenticate (OAuth)'],
  TOKEN_EXPIRED: [
    401,
    'unauthorized',
    'EasemobSecurityException',
    'Unable to authenticate due to expired access token',
  ],
  TOKEN_CORRUPT: [
    401,
    'auth_bad_access_token',
    'SecurityException',
    'Unable to authenticate due to corrupt access token',
  ],
  TOKEN_REVOKED: [401, 'auth_bad_access_token', 'SecurityException', 'Unable to authenticate'],
  SERVICE_NOT_OPEN: [403, 'ServiceNotOpenException', 'ServiceNotOpenException', 'push service not open: {detail}'],
  LIMIT: [403, 'LimitException', 'LimitException', 'limit request: {detail}'],
  APP_UNKNOWN: [
    404,
    'organization_application_not_found',
    'OrganizationApplicationNotFoundException',
    'Could not find application for {app} from URI: {uri}',
  ],
  NOT_FOUND: [404, 'service_resource_not_found', 'ServiceResourceNotFoundException', '{what} not found'],
  URL_INVALID: [404, 'service_resource_not_found', 'UrlInvalidException', 'url is invalid'],
  METHOD_NOT_ALLOWED: [
    405,
    'unsupported_service_operation',
    'MethodNotAllowedException',
    '{method} is not allowed here',
  ],
  REQUEST_TIMEOUT: [408, 'request_timeout', 'RequestTimeoutException', 'the request did not arrive in time'],
  KEY_RUNNING: [
    409,
    'conflict',
    'IdempotencyConflictException',
    'a request with this Idempotency-Key is still running',
  ],
  NAME_TAKEN: [
    409,
    'duplicate_unique_property_exists',
    'DuplicateUniquePropertyExistsException',
    '{what} {name} already exists',
  ],
  BODY_TOO_LARGE: [413, 'request_too_large', 'RequestTooLargeException', 'the body is larger than {limit}'],
  MEDIA_TYPE: [415, 'web_application', 'WebApplicationException', 'Unsupported Media Type'],
  KEY_REUSED: [
    422,
    'idempotency_key_reused',
    'IdempotencyKeyReusedException',
    'this Idempotency-Key was used with another request',
  ],
  REACH_LIMIT: [429, 'reach_limit', 'ReachLimitException', 'This request has reached api limit'],
  INTERNAL: [500, 'internal_error', 'InternalServerException', 'internal error'],
  STORE_DOWN: [
    503,
    'service_unavailable',
    'ServiceUnavailableException',
    'the store does not answer, no push was accepted',
  ],
  OUTCOME_UNKNOWN: [
    503,
    'service_unavailable',
    'OutcomeUnknownException',
    'the store did not say in time whether it has the push, the outcome is unknown: repeat it with the same Idempotency-Key; without one a repeat may send twice',
  ],
  QUEUE_FULL: [503, 'service_unavailable', 'ServiceUnavailableException', 'the queue is full, nothing was accepted'],
  OVERLOADED: [
    503,
    'service_unavailable',
    'ServiceUnavailableException',
    'too many requests under way, nothing was accepted',
  ],
} as const satisfies Record<string, readonly [status: number, error: string, exception: string, sentence: string]>

export type ErrorCode = keyof typeof ERRORS
export type ErrorDetails = Readonly<Record<string, string | number>>

/** An error a caller may see. Callers switch on `code`; the sentence is for people. */
export class PushError extends Error {
  override readonly name = 'PushError'
  readonly code: ErrorCode
  readonly details: ErrorDetails
  /** Seconds, for the Retry-After header. */
  readonly retryAfterSeconds: number | undefined
  constructor(code: ErrorCode, details: ErrorDetails = {}, more: { retryAfterSeconds?: number; cause?: unknown } = {}) {
    super(sentenceOf(code, details), { cause: more.cause })
    this.code = code
    this.details = details
    this.retryAfterSeconds = more.retryAfterSeconds
  }
  get status(): number {
    return ERRORS[this.code][0]
  }
}

/** The store does not answer (or not in time); the operation may or may not have happened and may be tried again. */
export class StoreDownError extends Error {
  override readonly name = 'StoreDownError'
  /** True where it is certain that the operation did not happen, e.g. because the store was never reached. */
  readonly nothingWritten: boolean
  constructor(message: string, more: { cause?: unknown; nothingWritten?: boolean } = {}) {
    super(message, { cause: more.cause })
    this.nothingWritten = more.nothingWritten ?? false
  }
}

/** The error of the write that accepts a push: only where it is certain may a caller be told that nothing was accepted. */
export function acceptError(error: unknown): unknown {
  if (!(error instanceof StoreDownError) || error.nothingWritten) return error
  return new PushError('OUTCOME_UNKNOWN', {}, { cause: error })
}

/** A sealed credential does not open: tampered with, moved between rows, or sealed with another master key. */
export class SealError extends Error {
  override readonly name = 'SealError'
}

export function sentenceOf(code: ErrorCode, details: ErrorDetails): string {
  return ERRORS[code][3].replace(/\{(\w+)\}/g, (_, name: string) => String(details[name] ?? ''))
}
