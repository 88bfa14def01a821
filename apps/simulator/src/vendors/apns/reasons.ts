import type { Problem } from '../settle.ts'

/** https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns */
const STATUS_OF_REASON: Readonly<Record<string, number>> = {
  BadCollapseId: 400,
  BadDeviceToken: 400,
  BadExpirationDate: 400,
  BadMessageId: 400,
  BadPriority: 400,
  BadTopic: 400,
  DeviceTokenNotForTopic: 400,
  DuplicateHeaders: 400,
  IdleTimeout: 400,
  InvalidPushType: 400,
  MissingDeviceToken: 400,
  MissingTopic: 400,
  PayloadEmpty: 400,
  TopicDisallowed: 400,
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  ExpiredProviderToken: 403,
  Forbidden: 403,
  InvalidProviderToken: 403,
  MissingProviderToken: 403,
  UnrelatedKeyIdInToken: 403,
  BadEnvironmentKeyIdInToken: 403,
  BadEnvironmentKeyInToken: 403,
  BadPath: 404,
  MethodNotAllowed: 405,
  ExpiredToken: 410,
  Unregistered: 410,
  PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  Shutdown: 503,
}

const REASON_OF_KIND: Readonly<Record<string, string>> = {
  gone: 'Unregistered',
  stale: 'Unregistered',
  bad: 'BadDeviceToken',
  refused: 'PayloadTooLarge',
  '429': 'TooManyRequests',
  '503': 'ServiceUnavailable',
  '500': 'InternalServerError',
  '401': 'InvalidProviderToken',
  expired: 'ExpiredProviderToken',
  '403-wrong-project': 'DeviceTokenNotForTopic',
  'no-project': 'TopicDisallowed',
  'quota-day': 'TooManyRequests',
}

/** Apple's word for a problem; a `code` is said as it is, whatever it is. */
export function reasonFor({ kind, code }: Problem): string {
  return (kind === 'code' ? code : REASON_OF_KIND[kind]) ?? 'InternalServerError'
}

/** A reason that Apple does not have comes with 400. */
export const statusOf = (reason: string): number =>
  Object.hasOwn(STATUS_OF_REASON, reason) ? (STATUS_OF_REASON[reason] ?? 400) : 400
