import type { JsonValue } from '@fanfare/core'
import { type Field, numberOf, objectOf, textOf, textsOf } from '../../pushing/fields.ts'

/** `normal` and `high` in any case. */
export const priorityOf = (value: JsonValue): JsonValue => textOf(value).toUpperCase()

/** Seconds as FCM writes a duration: `3600`, `"3600"` and `"3.5s"` are taken. */
function durationOf(value: JsonValue): JsonValue | undefined {
  const seconds = numberOf(typeof value === 'string' ? value.replace(/s$/, '') : value)
  return seconds === undefined || seconds < 0 ? undefined : `${Math.min(seconds, 2_419_200)}s`
}

const textsOfValue = (value: JsonValue): JsonValue | undefined => {
  const object = objectOf(value)
  return object && textsOf(object)
}

const argsOf = (value: JsonValue): JsonValue | undefined => (Array.isArray(value) ? value.map(textOf) : undefined)

/** `fcmV1.androidConfig` → `message.android` (docs/wire-api.md §2.4). */
export const ANDROID: readonly Field[] = [
  ['collapseKey', 'collapse_key'],
  ['priority', 'priority', priorityOf],
  ['ttl', 'ttl', durationOf],
  ['restrictedPackageName', 'restricted_package_name'],
  ['directBootOk', 'direct_boot_ok'],
  ['data', 'data', textsOfValue],
]

const SHARED: readonly Field[] = [
  ['title', 'title'],
  ['body', 'body'],
  ['icon', 'icon'],
  ['color', 'color'],
  ['sound', 'sound'],
  ['tag', 'tag'],
  ['clickAction', 'click_action'],
  ['bodyLocKey', 'body_loc_key'],
  ['bodyLocArgs', 'body_loc_args', argsOf],
  ['titleLocKey', 'title_loc_key'],
  ['titleLocArgs', 'title_loc_args', argsOf],
]

/** `fcmV1.androidConfig.androidNotification` → `message.android.notification`. */
export const ANDROID_NOTIFICATION: readonly Field[] = [...SHARED, ['image', 'image'], ['channelId', 'channel_id']]

/** The legacy object `fcm` → `message.android`; FCM's legacy API ended in June 2024. */
export const LEGACY_ANDROID: readonly Field[] = [
  ['collapseKey', 'collapse_key'],
  ['priority', 'priority', priorityOf],
  ['timeToLive', 'ttl', durationOf],
  ['restrictedPackageName', 'restricted_package_name'],
]

/** `fcm.notification` → `message.android.notification`; title and body go into `message.notification`. */
export const LEGACY_NOTIFICATION: readonly Field[] = [
  ...SHARED.filter(([from]) => from !== 'title' && from !== 'body'),
  ['androidChannelId', 'channel_id'],
  ['channelId', 'channel_id'],
]
