import type { JsonValue } from '@fanfare/core'
import { type Field, numberOf, objectOf, textOf } from '../../pushing/fields.ts'

/** The properties of `apn`'s Notification that its type declaration lacks or types too narrowly are set through this. */
export type NotificationFields = Record<string, unknown>

const textsOf = (value: JsonValue): JsonValue | undefined => (Array.isArray(value) ? value.map(textOf) : undefined)
const flagOf = (value: JsonValue): JsonValue | undefined => (value === true || value === 1 ? true : undefined)

/** Apple takes seconds; a number this large is milliseconds. */
const secondsOf = (value: JsonValue): JsonValue | undefined => {
  const number = numberOf(value)
  return number === undefined ? undefined : Math.round(number > 1e11 ? number / 1000 : number)
}

/** `apns` → properties of `apn`'s Notification, which gives them their names in `aps` (docs/wire-api.md §2.3). */
export const FIELDS: readonly Field[] = [
  ['badge', 'badge', numberOf],
  ['sound', 'sound'],
  ['mutableContent', 'mutableContent', flagOf],
  ['contentAvailable', 'contentAvailable', flagOf],
  ['categoryName', 'category', textOf],
  ['threadId', 'threadId', textOf],
  ['interruptionLevel', 'interruptionLevel', (value) => textOf(value).toLowerCase().replaceAll('_', '-')],
  ['relevanceScore', 'relevanceScore', numberOf],
  ['targetContentId', 'targetContentIdentifier', textOf],
  ['liveActivityEvent', 'event', (value) => textOf(value).toLowerCase()],
  ['timestamp', 'timestamp', secondsOf],
  ['dismissalDate', 'dismissalDate', secondsOf],
  ['staleDate', 'staleDate', secondsOf],
  ['attributesType', 'attributesType', textOf],
  ['attributes', 'attributes', objectOf],
  ['contentState', 'contentState', objectOf],
]

/** The alert; a silent push has none of it. */
export const ALERT_FIELDS: readonly Field[] = [
  ['titleLocKey', 'titleLocKey', textOf],
  ['titleLocArgs', 'titleLocArgs', textsOf],
  ['subTitleLocKey', 'subtitleLocKey', textOf],
  ['subTitleLocArgs', 'subtitleLocArgs', textsOf],
  ['bodyLocKey', 'locKey', textOf],
  ['bodyLocArgs', 'locArgs', textsOf],
  ['launchImage', 'launchImage', textOf],
]

/** Push types and what each adds to the topic. */
export const TOPIC_SUFFIX: Readonly<Record<string, string>> = {
  alert: '',
  background: '',
  mdm: '',
  voip: '.voip',
  complication: '.complication',
  fileprovider: '.pushkit.fileprovider',
  liveactivity: '.push-type.liveactivity',
  pushtotalk: '.voip-ptt',
  location: '.location-query',
  controls: '.push-type.controls',
  widgets: '.push-type.widgets',
}
