import type { JsonObject, JsonValue, Message } from '@fanfare/core'
import type { BaseMessage } from 'firebase-admin/messaging'
import {
  defined,
  ePushOf,
  firstText,
  mapFields,
  numberOf,
  objectOf,
  textsOf,
  unlessEmpty,
} from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'
import { ANDROID, ANDROID_NOTIFICATION, LEGACY_ANDROID, LEGACY_NOTIFICATION, priorityOf } from './fields.ts'

/** What the payload needs besides the message; no clock in here. */
export type FcmContext = {
  taskId: string
  /** From now to the task's expiry. */
  ttlSeconds: number
  expiresAtSeconds: number
}

/** https://firebase.google.com/docs/cloud-messaging: of what the device receives, per platform. */
const MAX_PAYLOAD_BYTES = 4096
const MAX_TTL_SECONDS = 2_419_200
const RESERVED = /^(?:from|message_type|(?:google|gcm)(?:\..*)?)$/

/** The parts of a message at FCM; firebase-admin's type keeps their names right. */
type Part = keyof BaseMessage
type Parts = Partial<Record<Part, JsonObject>>

/**
 * The FCM v1 message without its target. `fcmV1` wins over the legacy object `fcm`, which is translated; both win over
 * the basic fields (docs/wire-api.md §2.4). A `condition` has no meaning for a push to a device and is left out.
 * Throws UnfitMessage where FCM would refuse it: reserved data keys, more than 4,096 bytes.
 */
export function fcmRequest(message: Message, context: FcmContext): { message: JsonObject; validateOnly: boolean } {
  const given = message.fcmV1 && Object.keys(message.fcmV1).length > 0 ? message.fcmV1 : undefined
  const parts = given ? partsOfV1(message, given) : partsOfLegacy(message, message.fcm ?? {})
  const data = dataOf(message, parts.data, context)
  checkKeys(data)
  const complete: Record<Part, JsonObject | undefined> = {
    notification: parts.notification,
    data,
    android: androidOf(parts, message, context),
    apns: apnsOf(parts, message, context),
    webpush: parts.webpush && webpushOf(parts.webpush, context),
    fcmOptions: parts.fcmOptions,
  }
  checkSize(complete)
  return { message: defined(complete), validateOnly: !given && message.fcm?.['dryRun'] === true }
}

function partsOfV1(message: Message, v1: JsonObject): Parts {
  const type = firstText(v1['type'])?.toUpperCase()
  const android = objectOf(v1['androidConfig']) ?? {}
  const config = mapFields(android, ANDROID)
  const notification = mapFields(objectOf(android['androidNotification']), ANDROID_NOTIFICATION)
  if (type !== 'DATA' && unlessEmpty(notification)) config['notification'] = notification
  return parts({
    notification: type === 'DATA' ? undefined : notificationOf(message, objectOf(v1['notification'])),
    data: type === 'NOTIFICATION' ? undefined : objectOf(v1['data']),
    android: config,
    apns: objectOf(v1['apnsConfig']),
    webpush: objectOf(v1['webPushConfig']),
    fcmOptions: mapFields(objectOf(v1['options']), [
      ['analyticsLabel', 'analyticsLabel'],
      ['analytics_label', 'analyticsLabel'],
    ]),
  })
}

function partsOfLegacy(message: Message, legacy: JsonObject): Parts {
  const given = objectOf(legacy['notification'])
  const android = mapFields(legacy, LEGACY_ANDROID)
  const notification = unlessEmpty(mapFields(given, LEGACY_NOTIFICATION))
  if (notification) android['notification'] = notification
  return parts({
    notification: notificationOf(message, given),
    data: objectOf(legacy['data']),
    android,
  })
}

const parts = (given: Partial<Record<Part, JsonObject | undefined>>): Parts => {
  const kept: Parts = {}
  for (const [name, part] of Object.entries(given)) if (part && unlessEmpty(part)) kept[name as Part] = part
  return kept
}

function notificationOf(message: Message, given: JsonObject | undefined): JsonObject {
  return defined({
    title: firstText(given?.['title'], message.title),
    body: firstText(given?.['body'], message.content),
    image: firstText(given?.['image']),
  })
}

/**
 * Values are text; `EPush` is the report key (docs/wire-api.md §2.13), which also identifies a repeated data message.
 */
function dataOf(message: Message, data: JsonObject | undefined, { taskId }: FcmContext): JsonObject {
  const url = firstText(objectOf(message.config?.['clickAction'])?.['url'])
  return {
    ...(url === undefined ? {} : { url }),
    ...textsOf(message.ext),
    ...textsOf(data),
    EPush: JSON.stringify(ePushOf('ANDROID', taskId)),
  }
}

/** The tag makes a repeated send replace the first; a collapse key would too, but FCM keeps only four per device. */
function androidOf(parts: Parts, message: Message, context: FcmContext): JsonObject {
  const config: JsonObject = { ttl: `${Math.min(context.ttlSeconds, MAX_TTL_SECONDS)}s`, ...parts.android }
  if (!parts.notification) return config
  const click = objectOf(message.config?.['clickAction'])
  const badge = objectOf(message.config?.['badge'])
  const basic = defined({
    tag: `fanfare-${context.taskId}`,
    click_action: firstText(click?.['action'], click?.['activity']),
    notification_count: numberOf(badge?.['setNum']) ?? numberOf(badge?.['addNum']),
  })
  config['priority'] ??= priorityOf('HIGH')
  config['notification'] = { ...basic, ...objectOf(config['notification']) }
  return config
}

/** FCM would keep it for 30 days; header values are text. */
function apnsOf(parts: Parts, message: Message, context: FcmContext): JsonObject {
  const given = parts.apns
  const headers = {
    'apns-expiration': String(context.expiresAtSeconds),
    'apns-priority': parts.notification ? '10' : '5',
    'apns-collapse-id': `fanfare-${context.taskId}`,
    ...textsOf(objectOf(given?.['headers'])),
  }
  const payload = objectOf(given?.['payload']) ?? payloadWithSubtitle(parts, message)
  const { headers: _headers, payload: _payload, ...rest } = given ?? {}
  return defined({ ...rest, headers, payload })
}

/** FCM's own notification has no subtitle, so an alert is made where one is given. */
function payloadWithSubtitle({ notification }: Parts, { subTitle }: Message): JsonObject | undefined {
  if (!notification || subTitle === undefined || subTitle === '') return undefined
  const { title, body } = notification
  return { aps: { alert: defined({ title, subtitle: subTitle, body }) } }
}

function webpushOf(given: JsonObject, { ttlSeconds }: FcmContext): JsonObject {
  const headers = { TTL: String(ttlSeconds), ...textsOf(objectOf(given['headers'])) }
  return { ...given, headers }
}

function checkKeys(data: JsonObject): void {
  const bad = Object.keys(data).find((key) => RESERVED.test(key))
  if (bad !== undefined) throw new UnfitMessage(`fcm.data.${bad.slice(0, 60)}: the key is reserved`)
}

function checkSize({ notification, data, android, apns, webpush }: Record<Part, JsonObject | undefined>): void {
  const common = bytesOf(notification) + bytesOf(data)
  const largest = Math.max(
    bytesOf(android?.['notification']) + bytesOf(android?.['data']),
    bytesOf(apns?.['payload']),
    bytesOf(webpush?.['notification']) + bytesOf(webpush?.['data']),
  )
  const bytes = common + largest
  if (bytes > MAX_PAYLOAD_BYTES)
    throw new UnfitMessage(`fcm: ${bytes} bytes of payload, ${MAX_PAYLOAD_BYTES} are allowed`)
}

const bytesOf = (part: JsonValue | undefined): number =>
  part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))
