import { jsonOf } from '../../http/http.ts'
import type { Call } from '../../http/http2/call.ts'
import { retryAfterMs } from '../../http/retry-after.ts'
import { classOfStatus, rowsByCode, type Verdict, type VerdictTable, verdictOf } from '../../pushing/verdict.ts'

const MINUTE_MS = 60_000

export const APNS_VERDICTS: VerdictTable = {
  link: 'https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns',
  rows: [
    { when: '200', outcome: 'sent' },
    {
      when: '410 Unregistered, ExpiredToken',
      codes: ['Unregistered', 'ExpiredToken'],
      outcome: 'invalid',
      note: 'since the timestamp of the answer; a token bound later is kept',
    },
    {
      when: '400 BadDeviceToken, DeviceTokenNotForTopic',
      codes: ['BadDeviceToken', 'DeviceTokenNotForTopic'],
      outcome: 'invalidGated',
      note: 'a wrong environment or topic answers alike',
    },
    { when: '400 MissingDeviceToken', codes: ['MissingDeviceToken'], outcome: 'invalid' },
    {
      when: '400 BadCollapseId, BadExpirationDate, BadMessageId, BadPriority, DuplicateHeaders, InvalidPushType, PayloadEmpty; 404 BadPath; 405; 413',
      codes: [
        'BadCollapseId',
        'BadExpirationDate',
        'BadMessageId',
        'BadPriority',
        'DuplicateHeaders',
        'InvalidPushType',
        'PayloadEmpty',
        'BadPath',
        'MethodNotAllowed',
        'PayloadTooLarge',
      ],
      outcome: 'rejected',
    },
    {
      when: '400 BadTopic, MissingTopic, TopicDisallowed',
      codes: ['BadTopic', 'MissingTopic', 'TopicDisallowed'],
      outcome: 'channel',
      note: 'bundle id, environment or certificate',
    },
    { when: '400 IdleTimeout', codes: ['IdleTimeout'], outcome: 'deferred' },
    {
      when: '403 ExpiredProviderToken',
      codes: ['ExpiredProviderToken'],
      outcome: 'refresh',
      note: 'signed again once, if the last one is 20 min old',
    },
    {
      when: '403 InvalidProviderToken, MissingProviderToken, Forbidden, BadCertificate, BadCertificateEnvironment, UnrelatedKeyIdInToken, BadEnvironmentKeyIdInToken',
      codes: [
        'InvalidProviderToken',
        'MissingProviderToken',
        'Forbidden',
        'BadCertificate',
        'BadCertificateEnvironment',
        'UnrelatedKeyIdInToken',
        'BadEnvironmentKeyIdInToken',
        'BadEnvironmentKeyInToken',
      ],
      outcome: 'channel',
    },
    {
      when: '429 TooManyRequests',
      codes: ['TooManyRequests'],
      outcome: 'deferred',
      afterMs: 2 * MINUTE_MS,
      note: 'this token only; minutes, never at once',
    },
    {
      when: '429 TooManyProviderTokenUpdates',
      codes: ['TooManyProviderTokenUpdates'],
      outcome: 'busy',
      afterMs: 20 * MINUTE_MS,
      note: 'the present provider token stays in use',
    },
    {
      when: '500 InternalServerError, 503 ServiceUnavailable, Shutdown',
      codes: ['InternalServerError', 'ServiceUnavailable', 'Shutdown'],
      outcome: 'deferred',
    },
  ],
}

const ROWS = rowsByCode(APNS_VERDICTS)
const SENT: Verdict = { is: 'sent', reason: '' }

/** `wantsReply`: the answer goes into the result; for synchronous pushes, a chunk of a task does not need it. */
export function judgeApns(call: Call, wantsReply: boolean): Verdict {
  if (call.status === 200) return wantsReply ? { ...SENT, reply: replyOf(call) } : SENT
  const json = jsonOf(call.text)
  const reason = typeof json?.['reason'] === 'string' ? json['reason'].slice(0, 80) : `HTTP ${call.status}`
  const afterMs = retryAfterMs(call.answer?.['retry-after'])
  const row = ROWS.get(reason)
  const verdict: Verdict = row
    ? verdictOf(row, reason, afterMs)
    : { is: classOfStatus(call.status), reason, ...(afterMs === undefined ? {} : { afterMs }) }
  const timestamp = json?.['timestamp']
  if (call.status === 410 && typeof timestamp === 'number') verdict.since = new Date(timestamp)
  if (wantsReply) verdict.reply = replyOf(call, json)
  return verdict
}

const replyOf = (call: Call, json: object = {}): object => ({
  ...json,
  'apns-id': String(call.answer?.['apns-id'] ?? ''),
})
