import type { JsonObject, Message } from '@fanfare/core'
import { Notification } from 'apn'
import { ePushOf, firstText, mapFields, numberOf, objectOf } from '../../pushing/fields.ts'
import { UnfitMessage } from '../../pushing/unfit.ts'
import { ALERT_FIELDS, FIELDS, type NotificationFields, TOPIC_SUFFIX } from './fields.ts'

/** What the payload needs besides the message; no clock in here. */
export type ApnsContext = {
  taskId: string
  bundleId: string
  nowMs: number
  expiresAtMs: number
}

/** The headers and the body that all members of a batch share. `apnsId`: the caller's own, for a push to one device. */
export type ApnsRequest = { headers: Record<string, string>; payload: string; apnsId?: string }

/** What its type declaration leaves out. */
type Built = Notification & {
  title: string
  subtitle: string
  body: string
  compile(): string
  headers(): Record<string, string | number>
}

const MAX_PAYLOAD_BYTES = 4096
const MAX_VOIP_BYTES = 5120
const MAX_COLLAPSE_ID_BYTES = 64
const PRIORITIES = new Set([1, 5, 10])
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i

/**
 * Headers and payload, built by `apn`'s Notification. Adds what it lacks: the push type's topic suffix, priority 5 for
 * silent pushes, a collapse id from the task (so that a repeated send replaces the first), the report key `EPush`.
 * Throws UnfitMessage where APNs would refuse it.
 */
export function apnsRequest(message: Message, context: ApnsContext): ApnsRequest {
  const given = message.apns ?? {}
  const pushType = pushTypeOf(given)
  const notification = new Notification() as Built
  Object.assign(notification, mapFields(given, FIELDS), headerFields(given, pushType, context))
  if (pushType === 'background') notification.contentAvailable = true
  else setAlert(notification, message, given)
  setBadge(notification, message, given)
  notification.payload = {
    ...message.ext,
    ...objectOf(given['ext']),
    EPush: ePushOf('APNS', context.taskId),
  }
  const payload = notification.compile()
  checkBytes(payload, pushType)
  const apnsId = given['apnsId']
  const shared = { headers: textsOf(notification), payload }
  return typeof apnsId === 'string' && UUID.test(apnsId) ? { ...shared, apnsId: apnsId.toLowerCase() } : shared
}

function pushTypeOf(given: JsonObject): string {
  const liveActivity = given['liveActivityEvent'] !== undefined && given['liveActivityEvent'] !== null
  const pushType = firstText(given['pushType'])?.toLowerCase() ?? (liveActivity ? 'liveactivity' : 'alert')
  if (!Object.hasOwn(TOPIC_SUFFIX, pushType)) throw new UnfitMessage('apns.pushType: unknown')
  return pushType
}

function headerFields(given: JsonObject, pushType: string, context: ApnsContext): NotificationFields {
  return {
    topic: context.bundleId + TOPIC_SUFFIX[pushType],
    pushType,
    priority: priorityOf(given, pushType),
    expiry: expiryOf(given, context),
    collapseId: collapseIdOf(given, context.taskId),
  }
}

/** Apple refuses a background push with any other priority than 5. */
function priorityOf(given: JsonObject, pushType: string): number {
  if (pushType === 'background') return 5
  const priority = numberOf(given['priority']) ?? 10
  if (!PRIORITIES.has(priority)) throw new UnfitMessage('apns.priority: must be 10, 5 or 1')
  return priority
}

/** `invalidationTime` is an interval in ms; 0 means one try without storing. */
function expiryOf(given: JsonObject, { nowMs, expiresAtMs }: ApnsContext): number {
  const interval = numberOf(given['invalidationTime'])
  if (interval === 0) return 0
  const untilMs = interval !== undefined && interval > 0 ? nowMs + interval : expiresAtMs
  return Math.max(0, Math.round(untilMs / 1000))
}

function collapseIdOf(given: JsonObject, taskId: string): string {
  const collapseId = firstText(given['collapseId']) ?? `fanfare-${taskId}`
  if (collapseId.length > MAX_COLLAPSE_ID_BYTES || !/^[\x21-\x7e]+$/.test(collapseId)) {
    throw new UnfitMessage(`apns.collapseId: at most ${MAX_COLLAPSE_ID_BYTES} printable ASCII characters`)
  }
  return collapseId
}

function setAlert(notification: Built, message: Message, given: JsonObject): void {
  const title = firstText(given['title'], message.title)
  const subtitle = firstText(given['subTitle'], message.subTitle)
  const body = firstText(given['content'], message.content)
  if (title !== undefined) notification.title = title
  if (subtitle !== undefined) notification.subtitle = subtitle
  if (body !== undefined) notification.body = body
  Object.assign(notification, mapFields(given, ALERT_FIELDS))
}

/** `config.badge.setNum`; APNs cannot add to a badge. */
function setBadge(notification: Built, message: Message, given: JsonObject): void {
  const badge = numberOf(objectOf(message.config?.['badge'])?.['setNum'])
  if (badge !== undefined && numberOf(given['badge']) === undefined) notification.badge = badge
}

function textsOf(notification: Built): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(notification.headers())) headers[name] = String(value)
  return headers
}

function checkBytes(payload: string, pushType: string): void {
  const max = pushType === 'voip' ? MAX_VOIP_BYTES : MAX_PAYLOAD_BYTES
  const bytes = Buffer.byteLength(payload)
  if (bytes > max) throw new UnfitMessage(`apns: ${bytes} bytes of payload, ${max} are allowed`)
}
