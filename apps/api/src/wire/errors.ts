import { type ErrorCode, type ErrorDetails, Refusal } from '@fanfare/core'
import { wireField } from './fields.ts'
import { strategyOf } from './strategy.ts'

/** What can be wrong with a request before anything is asked for. */
type RequestCode =
  | 'BODY_TOO_LARGE'
  | 'CLIENT_ID_MISSING'
  | 'CLIENT_SECRET_MISSING'
  | 'GRANT_TYPE'
  | 'HTTP_INVALID'
  | 'JSON_PARSE'
  | 'MEDIA_TYPE'
  | 'METHOD_NOT_ALLOWED'
  | 'REQUEST_TIMEOUT'
  | 'URL_INVALID'

export class RequestError extends Refusal<RequestCode> {
  override readonly name = 'RequestError'
}

export type WireCode = ErrorCode | RequestCode
export type WireError = Refusal<WireCode>

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
  BINDING_INVALID: [
    400,
    'IllegalArgumentException',
    'IllegalArgumentException',
    'parameters is invalid : {field}: {detail}',
  ],
  CHANNEL_UNKNOWN: [
    400,
    'IllegalArgumentException',
    'IllegalArgumentException',
    'parameters is invalid : notifier_name: no notifier {channel}',
  ],
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
  ROUTE_NOT_OPEN: [
    403,
    'ServiceNotOpenException',
    'ServiceNotOpenException',
    'push service not open: strategy {strategy} needs the online channel, which does not exist yet; use strategy 2',
  ],
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
} as const satisfies Record<WireCode, readonly [status: number, error: string, exception: string, sentence: string]>

export const statusOf = ({ code }: WireError): number => ERRORS[code][0]

/** For people; callers switch on the code or the exception. */
export const sentenceOf = ({ code, details }: WireError): string => filled(ERRORS[code][3], details)

/** Details that operations give in our words. */
const WORDS: Readonly<Record<string, (details: ErrorDetails) => string | number>> = {
  field: wireField,
  what: ({ what }) => (what === 'channel' ? 'notifier' : (what ?? '')),
  strategy: ({ route }) => strategyOf(String(route).split(' ')),
}

const filled = (sentence: string, details: ErrorDetails): string =>
  sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(WORDS[name]?.(details) ?? details[name] ?? ''))
