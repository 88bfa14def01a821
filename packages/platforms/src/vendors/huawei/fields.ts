import type { JsonValue } from '@fanfare/core'
import { type Field, mapFields, numberOf, objectOf, textOf, textsOf, unlessEmpty } from '../../pushing/fields.ts'

/** The longest time to live of both protocols, in seconds. */
export const MAX_TTL_SECONDS = 1_296_000

/** Seconds, given as `3600`, `"3600"` or `"3600s"`. */
export function secondsOf(value: JsonValue): number | undefined {
  const seconds = numberOf(typeof value === 'string' ? value.replace(/s$/, '') : value)
  return seconds === undefined || seconds < 0 ? undefined : Math.min(Math.round(seconds), MAX_TTL_SECONDS)
}

const durationOf = (value: JsonValue): JsonValue | undefined => {
  const seconds = secondsOf(value)
  return seconds === undefined ? undefined : `${seconds}s`
}
const argsOf = (value: JsonValue): JsonValue | undefined => (Array.isArray(value) ? value.map(textOf) : undefined)
const nested =
  (fields: readonly Field[]) =>
  (value: JsonValue): JsonValue | undefined =>
    unlessEmpty(mapFields(objectOf(value), fields))
const listOf =
  (fields: readonly Field[]) =>
  (value: JsonValue): JsonValue | undefined =>
    Array.isArray(value) ? value.map((item) => mapFields(objectOf(item), fields)) : undefined

/** `huawei` → the body besides `message`. */
export const REQUEST: readonly Field[] = [
  ['validateOnly', 'validate_only'],
  ['review', 'review'],
]

/** `huawei.message.notification`. */
export const NOTIFICATION: readonly Field[] = [
  ['title', 'title'],
  ['body', 'body'],
  ['image', 'image'],
]

/** `huawei.message.android` besides its notification (docs/wire-api.md §2.9). */
export const ANDROID: readonly Field[] = [
  ['collapseKey', 'collapse_key', numberOf],
  ['urgency', 'urgency'],
  ['category', 'category'],
  ['ttl', 'ttl', durationOf],
  ['biTag', 'bi_tag'],
  ['fastAppTargetType', 'fast_app_target'],
  ['fastAppTarget', 'fast_app_target'],
  ['data', 'data', textOf],
  ['receiptId', 'receipt_id'],
  ['targetUserType', 'target_user_type'],
]

const CLICK_ACTION: readonly Field[] = [
  ['type', 'type'],
  ['intent', 'intent'],
  ['url', 'url'],
  ['action', 'action'],
]
const BADGE: readonly Field[] = [
  ['addNum', 'add_num', numberOf],
  ['badgeClass', 'class'],
  ['setNum', 'set_num', numberOf],
]
const COLOR: readonly Field[] = [
  ['alpha', 'alpha'],
  ['red', 'red'],
  ['green', 'green'],
  ['blue', 'blue'],
]
const LIGHTS: readonly Field[] = [
  ['color', 'color', nested(COLOR)],
  ['lightOnDuration', 'light_on_duration'],
  ['lightOffDuration', 'light_off_duration'],
]
const BUTTON: readonly Field[] = [
  ['name', 'name'],
  ['actionType', 'action_type'],
  ['intentType', 'intent_type'],
  ['intent', 'intent'],
  ['data', 'data'],
]

/** `huawei.message.android.notification`. */
export const ANDROID_NOTIFICATION: readonly Field[] = [
  ['title', 'title'],
  ['body', 'body'],
  ['icon', 'icon'],
  ['color', 'color'],
  ['sound', 'sound'],
  ['defaultSound', 'default_sound'],
  ['tag', 'tag'],
  ['clickAction', 'click_action', nested(CLICK_ACTION)],
  ['bodyLocKey', 'body_loc_key'],
  ['bodyLocArgs', 'body_loc_args', argsOf],
  ['titleLocKey', 'title_loc_key'],
  ['titleLocArgs', 'title_loc_args', argsOf],
  ['multiLangKey', 'multi_lang_key'],
  ['channelId', 'channel_id'],
  ['notifySummary', 'notify_summary'],
  ['image', 'image'],
  ['style', 'style'],
  ['bigTitle', 'big_title'],
  ['bigBody', 'big_body'],
  ['autoClear', 'auto_clear', numberOf],
  ['notifyId', 'notify_id', numberOf],
  ['group', 'group'],
  ['badge', 'badge', nested(BADGE)],
  ['autoCancel', 'auto_cancel'],
  ['when', 'when'],
  ['importance', 'importance'],
  ['useDefaultVibrate', 'use_default_vibrate'],
  ['useDefaultLight', 'use_default_light'],
  ['vibrateConfig', 'vibrate_config', argsOf],
  ['visibility', 'visibility'],
  ['lightSettings', 'light_settings', nested(LIGHTS)],
  ['foregroundShow', 'foreground_show'],
  ['inboxContent', 'inbox_content', argsOf],
  ['buttons', 'buttons', listOf(BUTTON)],
]

/** `harmonyOS` → `payload.notification` (docs/wire-api.md §2.11). */
export const HARMONY_NOTIFICATION: readonly Field[] = [
  ['category', 'category'],
  ['title', 'title'],
  ['body', 'body'],
  ['image', 'image'],
  ['style', 'style'],
  ['bigTitle', 'bigTitle'],
  ['bigBody', 'bigBody'],
  ['inboxContent', 'inboxContent', argsOf],
  ['notifyId', 'notifyId', numberOf],
]

export const HARMONY_BADGE: readonly Field[] = [
  ['addNum', 'addNum', numberOf],
  ['setNum', 'setNum', numberOf],
]

/** `harmonyOS` → `payload.notification.clickAction`; `data` is an object of texts. */
export const HARMONY_CLICK: readonly Field[] = [
  ['actionType', 'actionType', numberOf],
  ['action', 'action'],
  ['uri', 'uri'],
]

/** `harmonyOS` → `pushOptions`. */
export const HARMONY_OPTIONS: readonly Field[] = [
  ['isTestMessage', 'testMessage'],
  ['receiptId', 'receiptId'],
  ['ttl', 'ttl', secondsOf],
]

export const textsOfValue = (value: JsonValue | undefined): Record<string, string> => {
  const given = value ?? null
  return objectOf(given) ? textsOf(objectOf(given)) : given === null ? {} : { data: textOf(given) }
}
